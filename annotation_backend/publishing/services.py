"""Building a release of the approved cases, and finding it again."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from annotation_backend.cases.models import Case
from annotation_backend.learning.services import approved_reviews
from annotation_backend.publishing.models import Release
from annotation_backend.review.models import Review
from datasets.case import QualityScore, SeriesRole, TissueType
from datasets.errors import RejectedInput
from datasets.part_folder import remove_remains
from datasets.release.build import ReleaseCase, ReleaseSettings, build_release
from datasets.release.verify import VerificationReport, verify_release


@dataclass(frozen=True)
class BuiltRelease:
    """A release and how its verification right after the build went."""

    release: Release
    report: VerificationReport


def releases_folder() -> Path:
    """Where releases lie."""
    return Path(settings.DATA_FOLDER) / "releases"


def release_cases() -> list[ReleaseCase]:
    """The approved cases with their files and what each file came from.

    Raises:
        RejectedInput: No case is approved.
    """
    reviews = approved_reviews()
    if not reviews:
        raise RejectedInput(
            "nothing-approved",
            "No case is approved, and releases hold approved cases only.",
            remedy="Have a radiologist approve a case on the review page.",
        )
    return [release_case(review) for review in reviews]


def publish_release(release_settings: ReleaseSettings) -> BuiltRelease:
    """Builds a release, verifies it as a stranger would, and makes a record of it.

    Raises:
        RejectedInput: Nothing is approved, or this version exists with other content.
    """
    cases = release_cases()
    remove_remains(releases_folder())
    built = build_release(cases, release_settings, releases_folder())
    with transaction.atomic():
        release, _ = Release.objects.update_or_create(
            name=release_settings.name,
            version=release_settings.version,
            defaults={"digest": built.digest, "folder": str(built.folder.relative_to(settings.DATA_FOLDER))},
        )
        release.cases.set(Case.objects.filter(code__in=[case.code for case in cases]))
    return BuiltRelease(release, verify_release(built.folder))


def release_case(review: Review) -> ReleaseCase:
    """An approved case's files and what each came from."""
    mask, case = review.mask, review.mask.case
    series = {f"{row.role}_series": row.source_sha256 for row in case.series.all()}
    registered = {f"{role}_file": digest for role, digest in case.registration.record["outputs"].items()}
    saves = {f"annotation_{save.label_studio_id}": save.content_sha256 for save in mask.annotations.all()}
    return ReleaseCase(
        code=case.code,
        patient_code=case.patient.code,
        tissue_type=TissueType(case.tissue_type),
        anatomical_site=case.anatomical_site,
        annotated_sequence=case.annotated_role,
        t1=case.registration.volume_path(SeriesRole.T1),
        t2=case.registration.volume_path(SeriesRole.T2),
        mask=mask.path,
        sources={
            **series,
            **registered,
            **saves,
            "registration_record": case.registration.record_sha256,
            "mask_file": mask.sha256,
        },
        quality_score=QualityScore(review.quality_score),
        unannotated_slices=tuple(mask.unannotated_slices),
    )
