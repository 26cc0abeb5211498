"""Building a release of the approved cases, and finding it again."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings
from django.db import transaction

from annotation_backend.cases.models import Case
from annotation_backend.cases.stored.digests import whole_file
from annotation_backend.cases.stored.files import image_file
from annotation_backend.cases.workers.scratch import one_at_a_time
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.stored_masks import mask_file
from annotation_backend.publishing.contents.codes import former_codes, give_codes, planned_codes
from annotation_backend.publishing.contents.learned_folds import learned_folds
from annotation_backend.publishing.contents.provenance import provenance_of
from annotation_backend.publishing.contents.selection import EVERYTHING, CaseSelection, select, why_kept_out
from annotation_backend.publishing.contents.versions import (
    followed,
    left_since,
    releases_folder,
    to_take_over,
    versions_before,
)
from annotation_backend.publishing.correcting.beside_releases import tell_of_new
from annotation_backend.publishing.correcting.marking import mark_corrected, not_corrected, reasons_for
from annotation_backend.publishing.correcting.withdrawn import proof_for, withdrawals_of
from annotation_backend.publishing.models import Erratum, Release, ReleasedCase
from annotation_backend.publishing.stored_release import remember, seen_manifest
from annotation_backend.review.approvals import approved_reviews, lock_approvals, why_unapproved
from annotation_backend.review.models import Review
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.part_folder import remove_remains
from datasets.progress import Progress
from datasets.release.build import WrittenRelease, check_release, written_release
from datasets.release.correcting.absence import Absence, require_absent
from datasets.release.correcting.beside import CHANGES
from datasets.release.release_case import ReleaseCase
from datasets.release.settings import ReleaseSettings, by_protocol
from datasets.release.verify import VerificationReport, verify_release
from datasets.study.case import QualityScore

MOST_BUILDS = 3
"""Most builds of one release: it is built anew where a case left it meanwhile."""


@dataclass(frozen=True)
class BuiltRelease:
    """A release that was built, verified and recorded.

    Args:
        release: Its record.
        report: Of its verification right after the build.
        findings: On cases that left it meanwhile or that consent keeps out, and on folders without a record.
        taken_over: How many of its cases share the files of an earlier version.
        corrected: The errata that it puts right.
        absence: Proof that nobody withdrawn is in it; None where nobody was withdrawn.
    """

    release: Release
    report: VerificationReport
    findings: tuple[Finding, ...] = ()
    taken_over: int = 0
    corrected: tuple[Erratum, ...] = ()
    absence: Absence | None = None


@dataclass(frozen=True)
class PlannedRelease:
    """What would go into a release: the cases' own codes, and findings about those that consent keeps out."""

    codes: tuple[str, ...]
    findings: tuple[Finding, ...]


Chosen = Mapping[str, ReleaseCase]
"""The cases of a release by their own codes."""


def planned_release(
    study: Study, release_settings: ReleaseSettings, selection: CaseSelection = EVERYTHING
) -> PlannedRelease:
    """Looks whether a release can be built and says what would go in; writes nothing.

    Raises:
        RejectedInput: As `publish_release`.
    """
    selected = select(study, selection)
    cases = [review.mask.case for review in selected.reviews]
    chosen = _chosen(selected.reviews, planned_codes(study, cases))
    check_release(list(chosen.values()), completed(study, release_settings, chosen))
    return PlannedRelease(tuple(chosen), selected.findings)


def publish_release(
    study: Study,
    release_settings: ReleaseSettings,
    *,
    selection: CaseSelection = EVERYTHING,
    progress_of: Callable[[], Progress] = lambda: lambda _done, _all: None,
) -> BuiltRelease:
    """Builds a release of a study, verifies it as anybody outside would, and makes a record of it.

    A case that was excluded, returned or changed while the release was built is not in it: it is built again without.

    Args:
        study: The study.
        release_settings: The release's name, version, licence and texts.
        selection: Which approved cases go in.
        progress_of: Shows how many cases are written; asked for one display a build.

    Raises:
        RejectedInput: Nothing that is asked for is approved (any more), cases go on leaving, a newer version was
            published, or this version exists with other content.
        DamagedFile: A file of an approved case is not as it was written.
    """
    followed(study, release_settings.name, release_settings.version)  # before anything is read
    selected = select(study, selection)
    for review in selected.reviews:
        _require_whole(review)
    chosen = _chosen(selected.reviews, give_codes(study, [review.mask.case for review in selected.reviews]))
    findings = list(selected.findings)
    remove_remains(releases_folder(study))
    for _ in range(MOST_BUILDS):
        frozen = _freeze(study, chosen, release_settings, selection=selection, progress=progress_of())
        if isinstance(frozen, BuiltRelease):
            tell_of_new(frozen.release, frozen.absence)
            found = (*findings, *not_corrected(frozen.release), *_unproven(frozen.absence), *_unrecorded(study))
            return replace(frozen, findings=found)
        findings += [_case_left(code, why) for code, why in frozen.items()]
        chosen = {code: case for code, case in chosen.items() if code not in frozen}
        if not chosen:
            break
    changes = "; ".join(f"{finding.subject}: {finding.message}" for finding in findings)
    raise RejectedInput(
        "approvals-changed",
        f"Approvals ended while the release was built. {changes}",
        remedy="Nothing was released. Run it again when nobody changes the cases.",
    )


def completed(study: Study, release_settings: ReleaseSettings, chosen: Chosen) -> ReleaseSettings:
    """The settings with what the study knows: its protocol, the version before, who left since, and learned folds.

    Args:
        study: The study.
        release_settings: As they were asked for.
        chosen: The release's cases by their own codes.

    Raises:
        RejectedInput: A newer version was published.
    """
    name, version = release_settings.name, release_settings.version
    left = {*release_settings.withdrawn, *left_since(versions_before(study, name, version))}
    keys = dict(Case.objects.filter(code__in=list(chosen)).values_list("pk", "code"))
    return replace(
        by_protocol(release_settings, study.protocol),
        follows=followed(study, name, version),
        withdrawn=tuple(sorted(left)),
        reasons=reasons_for(study, name, version, {key: chosen[code].code for key, code in keys.items()}),
        learned_folds=learned_folds(study, {code: case.code for code, case in chosen.items()}),
    )


def release_case(review: Review, code: str, former: tuple[str, ...] = ()) -> ReleaseCase:
    """An approved case's files and their sources.

    Args:
        review: The verdict that approves it.
        code: What the release calls the case.
        former: What releases of before called it.
    """
    mask, case = review.mask, review.mask.case
    series = {f"{row.role}_series": row.source_sha256 for row in case.series.all()}
    images = {image.role: image for image in case.shown_images}
    registered = {f"{role}_file": image.sha256 for role, image in images.items()}
    return ReleaseCase(
        code=code,
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
        provenance=provenance_of(review),
        former_codes=former,
    )


def _chosen(reviews: Sequence[Review], codes: Mapping[int, str]) -> dict[str, ReleaseCase]:
    former = former_codes([review.mask.case for review in reviews])
    cases = {review.mask.case.code: review for review in reviews}
    return {
        code: release_case(review, codes[review.mask.case_id], former.get(review.mask.case_id, ()))
        for code, review in cases.items()
    }


def _require_whole(review: Review) -> None:
    """Refuses a damaged file by its name and with a remedy; a reader would only say that it cannot be read."""
    case = review.mask.case
    for stored in (mask_file(review.mask), *(image_file(image) for image in case.shown_images)):
        whole_file(stored)


def _freeze(
    study: Study,
    chosen: Chosen,
    release_settings: ReleaseSettings,
    *,
    selection: CaseSelection,
    progress: Progress,
) -> BuiltRelease | Mapping[str, str]:
    """Writes a release, and moves it in and records it if all its approvals still hold.

    The folder is moved in and its record written while the approvals are locked: there is never one without the other.

    Returns:
        The release; or, by case, why it must not be in it.
    """
    folder = releases_folder(study)
    whole_settings = completed(study, release_settings, chosen)
    earlier = to_take_over(study, release_settings.name, release_settings.version)
    seen = seen_manifest(earlier) if earlier else None
    before = versions_before(study, release_settings.name, release_settings.version)
    written_to = written_release(
        list(chosen.values()),
        whole_settings,
        folder,
        earlier=earlier.path if earlier else None,
        former=before[-1].path if before else None,
        progress=progress,
    )
    with written_to as written, one_at_a_time(folder):
        was_there = written.target.exists()
        gone = withdrawals_of(study)
        if absence := proof_for(study, written.part):
            require_absent(absence)
        try:
            with transaction.atomic():
                Study.objects.select_for_update().get(pk=study.pk)  # whoever withdraws a patient waits
                if left := _left(chosen, selection):
                    return left
                if withdrawals_of(study) != gone or completed(study, release_settings, chosen) != whole_settings:
                    return {}  # somebody left, or an erratum came, meanwhile
                release = _record(study, written, chosen)
                corrected = mark_corrected(release)
        except BaseException:
            if not was_there:
                shutil.rmtree(written.target, ignore_errors=True)
            raise
    report = verify_release(release.path, expected_digest=release.digest, seen=seen)
    remember(release, report)
    return BuiltRelease(release, report, taken_over=written.taken_over, corrected=tuple(corrected), absence=absence)


def _left(chosen: Chosen, selection: CaseSelection) -> dict[str, str]:
    """The cases that are no longer approved as they were written, and why; locks all of them."""
    lock_approvals(list(chosen))
    now = {review.mask.case.code: review for review in approved_reviews(list(chosen))}
    left = {}
    for code, written in chosen.items():
        review = now.get(code)
        if review is None or not _is_as_written(review, written):
            left[code] = why_unapproved(code)
        elif why := why_kept_out(review.mask.case, selection):
            left[code] = why
    return left


def _is_as_written(review: Review, written: ReleaseCase) -> bool:
    """Whether a case is what was written; what was worked out of it meanwhile, such as agreement, may be more."""
    now = release_case(review, written.code, written.former_codes)
    return replace(now, provenance=written.provenance) == written


def _record(study: Study, written: WrittenRelease, chosen: Chosen) -> Release:
    built = written.settle()
    release, _ = Release.objects.update_or_create(
        study=study,
        name=built.name,
        version=built.version,
        defaults={"digest": built.digest, "folder": str(built.folder.relative_to(settings.DATA_FOLDER))},
    )
    keys = dict(Case.objects.filter(code__in=list(chosen)).values_list("code", "pk"))
    release.held.all().delete()
    rows = [ReleasedCase(release=release, case_id=keys[code], code=case.code) for code, case in chosen.items()]
    ReleasedCase.objects.bulk_create(rows)
    return release


def _unrecorded(study: Study) -> Iterator[Finding]:
    """Folders without a record: a build was killed in the moment between both, or the database is an older one."""
    recorded = {Path(folder).name for folder in Release.objects.filter(study=study).values_list("folder", flat=True)}
    for folder in sorted(releases_folder(study).iterdir()):
        is_of_a_release = not folder.name.startswith(".") and folder.suffix != CHANGES
        if folder.is_dir() and is_of_a_release and folder.name not in recorded:
            message = f"The release folder {folder.name} has no record."
            remedy = "Build that version again, which records it; where that is refused and nobody has it, remove it."
            yield Finding(Level.WARNING, "release-unrecorded", message, remedy)


def _unproven(absence: Absence | None) -> Iterator[Finding]:
    """An earlier version that is not whole any more: what only it held of a withdrawn patient was not looked for."""
    if absence is not None and not absence.is_proven:
        message = f"It could not be proven that nobody withdrawn is in it: {', '.join(absence.unread)} cannot be read."
        remedy = "Restore the folder from the backup, and build this version again, which makes the proof anew."
        yield Finding(Level.WARNING, "withdrawal-unproven", message, remedy)


def _case_left(code: str, why: str) -> Finding:
    message = f"The approval ended while the release was built: {why}."
    return Finding(Level.WARNING, "case-left", message, "The release is built without it; nothing, if meant.", code)


def _saves_of(mask: CaseMask) -> dict[str, str]:
    """Digests of a mask's saves by the annotation's number, which may stand in two projects or tasks."""
    saves = list(mask.annotations.order_by("task__slice_index").select_related("task"))
    counts = Counter(save.label_studio_id for save in saves)
    places = {save.pk: f"_slice_{save.task.slice_index}" if counts[save.label_studio_id] > 1 else "" for save in saves}
    return {f"annotation_{save.label_studio_id}{places[save.pk]}": save.content_sha256 for save in saves}
