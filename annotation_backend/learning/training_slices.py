"""Exports training slices of approved cases as files, for training outside Maskloop."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from annotation_backend.cases.models import modality_of
from annotation_backend.cases.registration.volumes import case_volumes
from annotation_backend.review.approvals import approved_reviews, why_unapproved
from annotation_backend.review.models import Review
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.files import is_unchanged
from datasets.formats.nifti import read_mask
from datasets.image.mask import label_alone
from datasets.progress import Progress

if TYPE_CHECKING:
    from datasets.study.training_slices import TrainingSliceSettings


def export_approved(
    codes: Sequence[str] | None,
    slice_settings: "TrainingSliceSettings",
    *,
    study: Study | None = None,
    progress: Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Writes the training slices of approved cases to ``training_slices/<case>`` in the data folder.

    Args:
        codes: Codes of the cases; None for all approved cases.
        slice_settings: Selection of slices, and their grey window.
        study: The study whose cases they are; None for any.
        progress: Called with (cases done, cases to do).

    Returns:
        Case code to its manifest.

    Raises:
        RejectedInput: A case has no approved mask (``nothing-approved``), its approval ended during the export
            (``approval-ended``: its slices are removed), or the mask's file was changed (``mask-changed``).
    """
    approved = approved_cases(codes, study=study)
    manifests = {}
    for number, (code, review) in enumerate(approved.items(), start=1):
        manifests[code] = _export(review, slice_settings)
        _require_still_approved(review)
        if progress is not None:
            progress(number, len(approved))
    return manifests


def approved_cases(codes: Sequence[str] | None, *, study: Study | None = None) -> dict[str, Review]:
    """The reviews that approved the wanted cases' masks, by code.

    Args:
        codes: Codes of the cases; None for all approved cases.
        study: The study whose cases they are; None for any.

    Raises:
        RejectedInput: A case has no approved mask (``nothing-approved``).
    """
    approved = {review.mask.case.code: review for review in approved_reviews(study=study)}
    wanted = list(codes) if codes else list(approved)
    if not wanted or (missing := sorted(set(wanted) - set(approved))):
        named = f" for {', '.join(missing)}" if wanted else ""
        raise RejectedInput(
            "nothing-approved",
            f"There is no approved mask{named}; training slices are made of approved masks only.",
            remedy="Have a radiologist approve the case on the review page.",
        )
    return {code: approved[code] for code in wanted}


def _require_still_approved(review: Review) -> None:
    """Removes the slices of a case that was excluded, returned or changed while they were written."""
    code = review.mask.case.code
    if review not in approved_reviews([code]):
        shutil.rmtree(_folder(code), ignore_errors=True)
        raise RejectedInput(
            "approval-ended",
            f"The approval of {code} ended while its slices were exported: {why_unapproved(code)}.",
            remedy="Its slices were removed. Run the export again: it takes the masks that are approved now.",
        )


def _folder(code: str) -> Path:
    return Path(settings.DATA_FOLDER) / "training_slices" / code


def _export(review: Review, slice_settings: "TrainingSliceSettings") -> dict[str, Any]:
    from curation.slices.export import SliceSubject
    from curation.slices.training_files import export_training_slices

    case, mask = review.mask.case, review.mask
    if not is_unchanged(mask.path, sha256=mask.sha256):
        raise RejectedInput(
            "mask-changed",
            f"The approved mask of {case.code} is gone or was changed.",
            remedy="Restore the data folder from its backup.",
        )
    subject = SliceSubject(case.code, tissue_type=case.tissue_type, site=case.anatomical_site)
    learned = label_alone(read_mask(mask.path, labels=mask.label_names), case.protocol.learned_label.name)
    return export_training_slices(
        case_volumes(case),
        learned,
        _folder(case.code),
        subject=subject,
        settings=slice_settings,
        modalities={role: modality_of(case, role) for role in case.roles},
    )
