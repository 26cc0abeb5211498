"""Building a release of the approved cases, and finding it again."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings
from django.db import transaction

from annotation_backend.cases.models import Case, Exclusion
from annotation_backend.cases.stored.digests import whole_file
from annotation_backend.cases.stored.files import image_file
from annotation_backend.cases.workers.scratch import one_at_a_time
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.stored_masks import mask_file
from annotation_backend.publishing.models import Release
from annotation_backend.review.approvals import approved_reviews, lock_approvals, why_unapproved
from annotation_backend.review.models import Review
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.part_folder import remove_remains
from datasets.progress import Progress
from datasets.release.build import ReleaseCase, ReleaseSettings, WrittenRelease, written_release
from datasets.release.request import by_protocol
from datasets.release.verify import VerificationReport, verify_release
from datasets.study.case import QualityScore

MOST_BUILDS = 3
"""Most builds of one release: it is built anew where a case left it meanwhile."""


@dataclass(frozen=True)
class BuiltRelease:
    """A release, the report of its verification right after the build, and findings on cases that left it meanwhile."""

    release: Release
    report: VerificationReport
    findings: tuple[Finding, ...] = ()


def releases_folder(study: Study) -> Path:
    """Folder of a study's releases."""
    return study.folder / "releases"


def release_cases(study: Study) -> list[ReleaseCase]:
    """A study's approved cases with their files and each file's sources.

    Raises:
        RejectedInput: No case is approved.
        DamagedFile: A file of an approved case is not as it was written.
    """
    reviews = approved_reviews(study=study)
    if not reviews:
        raise RejectedInput(
            "nothing-approved",
            "No case is approved, and releases hold approved cases only.",
            remedy="Have a radiologist approve a case on the review page.",
        )
    for review in reviews:
        _require_whole(review)
    return [release_case(review) for review in reviews]


def _require_whole(review: Review) -> None:
    """Refuses a damaged file by its name and with a remedy; a reader would only say that it cannot be read."""
    case = review.mask.case
    for stored in (mask_file(review.mask), *(image_file(image) for image in case.shown_images)):
        whole_file(stored)


def publish_release(
    study: Study,
    release_settings: ReleaseSettings,
    *,
    progress_of: Callable[[], Progress] = lambda: lambda _done, _all: None,
) -> BuiltRelease:
    """Builds a release of a study, verifies it as anybody outside would, and makes a record of it.

    A case that was excluded, returned or changed while the release was built is not in it: it is built again without.

    Args:
        study: The study.
        release_settings: The release's name, version, licence and texts.
        progress_of: Shows how many cases are written; asked for one display a build.

    Raises:
        RejectedInput: Nothing is approved (any more), cases go on leaving, or this version exists with other content.
    """
    cases, findings = release_cases(study), list[Finding]()
    remove_remains(releases_folder(study))
    for _ in range(MOST_BUILDS):
        release, left = _freeze(study, cases, completed(study, release_settings), progress=progress_of())
        if release is not None:
            return BuiltRelease(release, verify_release(release.path), (*findings, *_unrecorded(study)))
        findings += [_case_left(code, why) for code, why in left.items()]
        cases = [case for case in cases if case.code not in left]
        if not cases:
            break
    changes = "; ".join(f"{finding.subject}: {finding.message}" for finding in findings)
    raise RejectedInput(
        "approvals-changed",
        f"Approvals ended while the release was built. {changes}",
        remedy="Nothing was released. Run it again when nobody changes the cases.",
    )


def completed(study: Study, release_settings: ReleaseSettings) -> ReleaseSettings:
    """The settings with the labels and roles of the study's protocol, and the cases that left since earlier versions.

    Those are the cases that an earlier version held and that are excluded now.
    """
    earlier = Release.objects.filter(study=study, name=release_settings.name).exclude(version=release_settings.version)
    excluded = Exclusion.objects.filter(case__releases__in=earlier, ended__isnull=True)
    codes = {*release_settings.withdrawn, *excluded.values_list("case__code", flat=True)}
    return replace(by_protocol(release_settings, study.protocol), withdrawn=tuple(sorted(codes)))


def _freeze(
    study: Study, cases: Sequence[ReleaseCase], release_settings: ReleaseSettings, *, progress: Progress
) -> tuple[Release | None, Mapping[str, str]]:
    """Writes a release, and moves it in and records it if all its approvals still hold.

    The folder is moved in and its record written while the approvals are locked: there is never one without the other.

    Returns:
        The record and nothing; or None and, by case, why it must not be in the release.
    """
    folder = releases_folder(study)
    with written_release(cases, release_settings, folder, progress=progress) as written, one_at_a_time(folder):
        was_there = written.target.exists()
        try:
            with transaction.atomic():
                left = _left(cases)
                return (None, left) if left else (_record(study, written, cases), {})
        except BaseException:
            if not was_there:
                shutil.rmtree(written.target, ignore_errors=True)
            raise


def _left(cases: Sequence[ReleaseCase]) -> dict[str, str]:
    """The cases that are no longer approved as they were written, and why; locks all of them."""
    lock_approvals([case.code for case in cases])
    now = {review.mask.case.code: release_case(review) for review in approved_reviews([case.code for case in cases])}
    return {case.code: why_unapproved(case.code) for case in cases if now.get(case.code) != case}


def _record(study: Study, written: WrittenRelease, cases: Sequence[ReleaseCase]) -> Release:
    built = written.settle()
    release, _ = Release.objects.update_or_create(
        study=study,
        name=built.name,
        version=built.version,
        defaults={"digest": built.digest, "folder": str(built.folder.relative_to(settings.DATA_FOLDER))},
    )
    release.cases.set(Case.objects.filter(code__in=[case.code for case in cases]))
    return release


def _unrecorded(study: Study) -> Iterator[Finding]:
    """Folders without a record: a build was killed in the moment between both, or the database is an older one."""
    recorded = {Path(folder).name for folder in Release.objects.filter(study=study).values_list("folder", flat=True)}
    for folder in sorted(releases_folder(study).iterdir()):
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in recorded:
            message = f"The release folder {folder.name} has no record."
            remedy = "Build that version again, which records it; where that is refused and nobody has it, remove it."
            yield Finding(Level.WARNING, "release-unrecorded", message, remedy)


def _case_left(code: str, why: str) -> Finding:
    message = f"The approval ended while the release was built: {why}."
    return Finding(Level.WARNING, "case-left", message, "The release is built without it; nothing, if meant.", code)


def _saves_of(mask: CaseMask) -> dict[str, str]:
    """Digests of a mask's saves by the annotation's number, which may stand in two projects or tasks."""
    saves = list(mask.annotations.order_by("task__slice_index").select_related("task"))
    counts = Counter(save.label_studio_id for save in saves)
    places = {save.pk: f"_slice_{save.task.slice_index}" if counts[save.label_studio_id] > 1 else "" for save in saves}
    return {f"annotation_{save.label_studio_id}{places[save.pk]}": save.content_sha256 for save in saves}


def release_case(review: Review) -> ReleaseCase:
    """An approved case's files and their sources."""
    mask, case = review.mask, review.mask.case
    series = {f"{row.role}_series": row.source_sha256 for row in case.series.all()}
    images = {image.role: image for image in case.shown_images}
    registered = {f"{role}_file": image.sha256 for role, image in images.items()}
    return ReleaseCase(
        code=case.code,
        patient_code=case.patient.code,
        tissue_type=case.tissue_type,
        anatomical_site=case.anatomical_site,
        images={role: image.path for role, image in images.items()},
        drawn_role=case.drawn_role,
        mask=mask.path,
        sources={
            **series,
            **registered,
            **_saves_of(mask),
            "registration_record": case.images_sha256,
            "mask_file": mask.sha256,
        },
        quality_score=QualityScore(review.quality_score),
        unannotated_slices=tuple(mask.unannotated_slices),
    )
