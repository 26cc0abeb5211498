"""Export of slices: workers draw the pictures, this process moves them in and keeps their records."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction

from annotation_backend.cases.models import Case, Slice, modality_of, title_of
from annotation_backend.cases.registration.register import require_sound
from annotation_backend.cases.signals import shown_changed
from annotation_backend.cases.stored.digests import forget_damages
from annotation_backend.cases.workers.images import ExportTask, StoredPictures, TaskImage, export_pictures
from annotation_backend.cases.workers.scratch import move_beside, one_at_a_time, remove_others, scratch_folder
from annotation_backend.compute import each_done
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.progress import Progress

STAGE = "annotation"
"""Value of ``stage`` in every `slices.json`."""


@dataclass
class ExportReport:
    """Result of an export: the number of pictures of each case, and findings."""

    pictures: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def export_cases(
    cases: Sequence[Case], *, again: bool = False, workers: int | None = None, progress: Progress | None = None
) -> ExportReport:
    """Exports each case's pictures of every image; one that fails never stops the rest.

    A case whose pictures show its registration is left as it is. After another registration its pictures are drawn
    anew, and their addresses stay.

    Args:
        cases: The cases to export.
        again: Draw those anew, too, whose pictures show their registration; the same pictures come out, whole.
        workers: As for `each_done`.
        progress: Called with (cases done, cases to do).
    """
    report = ExportReport()
    todo = to_export(cases, report, again=again)
    with scratch_folder() as scratch:
        tasks = [_task(case, scratch) for case in todo.values()]
        for outcome in each_done(
            export_pictures, tasks, key=lambda task: task.subject.case_code, workers=workers, progress=progress
        ):
            case = todo[outcome.item.subject.case_code]
            if outcome.result is None:
                report.findings.append(outcome.finding_about(case.code))
                continue
            try:
                report.pictures[case.code] = keep_pictures(case, outcome.result)
            except RejectedInput as error:
                report.findings.append(Finding(Level.ERROR, error.code, error.message, error.remedy, case.code))
    return report


def to_export(cases: Sequence[Case], report: ExportReport, *, again: bool = False) -> dict[str, Case]:
    """The cases whose pictures are missing or show an earlier registration, by code; the report says why not others."""
    return {case.code: case for case in cases if _may_export(case, report, again=again)}


def export_case(case: Case) -> int:
    """Exports one case's pictures, in this process.

    Returns:
        How many pictures were exported now.

    Raises:
        RejectedInput: The case is not registered or excluded, its registration is in doubt, or a file was changed.
    """
    require_sound(case)
    if is_exported(case):
        return 0
    with scratch_folder() as scratch:
        return keep_pictures(case, export_pictures(_task(case, scratch)))


def is_exported(case: Case) -> bool:
    """Whether the case's pictures show its images as they are now."""
    return case.is_registered and case.pictured_sha256 == case.images_sha256


def keep_pictures(case: Case, stored: StoredPictures) -> int:
    """Moves pictures from scratch to their case; a slice that has a record keeps its address.

    Args:
        case: With the registration that was drawn.
        stored: The pictures in scratch.

    Returns:
        How many pictures there are now.

    Raises:
        RejectedInput: The case was registered again meanwhile (``registration-superseded``).
    """
    with one_at_a_time(case.folder):
        _require_the_same(case)
        place = move_beside(stored.folder, case.folder / "slices" / case.images_sha256[:16])
        _record_at(case, place.relative_to(case.folder).as_posix(), stored)
        remove_others(place)
    return len(stored.slices)


def _require_the_same(case: Case) -> None:
    """Pictures of an earlier registration must not come after those of a later one; both wait for the folder."""
    if Case.objects.get(pk=case.pk).images_sha256 != case.images_sha256:
        raise RejectedInput(
            "registration-superseded",
            f"{case.code} was registered again while its pictures were drawn; they were thrown away.",
            remedy=f"Run `manage.py export_slices --case {case.code}` again.",
        )


@transaction.atomic
def _record_at(case: Case, place: str, stored: StoredPictures) -> None:
    """Records pictures that lie at a place of the case's folder; verdicts wait meanwhile, they lock the case too."""
    Case.objects.select_for_update().get(pk=case.pk)
    known = {(picture.role, picture.index): picture for picture in case.slices.all()}
    pictures = []
    for one in stored.slices:
        picture = known.pop((one.role, one.index), None) or _new_slice(case, one.role, one.index)
        picture.file, picture.sha256 = f"{place}/{one.file_name}", one.sha256
        picture.windows = stored.windows.get((one.role, one.index), {})
        pictures.append(picture)
    Slice.objects.filter(pk__in=[picture.pk for picture in known.values()]).delete()
    Slice.objects.bulk_create([picture for picture in pictures if picture.pk is None])
    Slice.objects.bulk_update([picture for picture in pictures if picture.pk], ["file", "sha256", "windows"])
    case.picture_plane, case.pictured_sha256 = stored.plane, case.images_sha256
    case.save(update_fields=["picture_plane", "pictured_sha256"])
    shown_changed.send(sender=Slice, case=case)
    forget_damages(case, "slices")


def _new_slice(case: Case, role: str, index: int) -> Slice:
    picture = Slice(case=case, role=role, index=index)
    picture.renew_token()
    return picture


def _may_export(case: Case, report: ExportReport, *, again: bool) -> bool:
    try:
        require_sound(case)
    except RejectedInput as error:
        report.findings.append(Finding(Level.ERROR, error.code, error.message, error.remedy, case.code))
        return False
    if is_exported(case) and not again:
        report.pictures[case.code] = 0
        return False
    return True


def _task(case: Case, scratch: Path) -> ExportTask:
    from curation.slices.export import SliceSubject

    subject = SliceSubject(case.code, tissue_type=case.tissue_type, site=case.anatomical_site, stage=STAGE)
    images = [
        TaskImage(
            role=image.role,
            title=title_of(case, image.role),
            modality=modality_of(case, image.role),
            path=image.path,
            sha256=image.sha256,
        )
        for image in case.shown_images
    ]
    return ExportTask(subject=subject, images=images, scratch=scratch)
