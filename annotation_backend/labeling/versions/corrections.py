"""Corrections: a mask put in the place of drawn slices, kept as a version with its author."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from django.db import transaction

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import FROM_BACKUP, StoredFile, whole_file
from annotation_backend.labeling.models import CaseMask, Correction, CorrectionKind, LabelingTask, TaskState
from annotation_backend.labeling.signals import saves_arrived, saves_settled
from annotation_backend.labeling.versions.standing import Standing, standing_of
from annotation_backend.registry.models import Model
from annotation_backend.stages.models import CaseStage
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, write_bytes
from datasets.formats.nifti import encode, read_mask
from datasets.image.mask import Mask


def correct(
    case: Case,
    mask: Mask,
    *,
    kind: CorrectionKind,
    row: CaseStage | None = None,
    author: User | None = None,
    model: Model | None = None,
    base: CaseMask | None = None,
) -> Correction:
    """Keeps a mask that counts on a case's slices from now on, until somebody draws one of them again.

    A reviewer's correction counts on the slices that it changes; one that decides between readers, or that a model
    drew, counts on all.

    Args:
        case: The case, locked or not.
        mask: On the case's grid, with values of its protocol's labels.
        kind: How it came about.
        row: The stage that it was made in.
        author: The person; None for a model.
        model: The model; None for a person.
        base: The mask that was corrected, which must still count; None where none did.

    Raises:
        RejectedInput: The mask is on another grid (``GeometryError``), has values without a label
            (``correction-label``), its base does not count any more (``mask-superseded``), or it changes nothing
            (``correction-empty``).
    """
    _require_of_case(mask, case)
    file, digest = _written(mask, case)
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=case.pk)
        standing = standing_of(case)
        _require_base(standing, base)
        before = _before(standing, mask)
        slices = _replaced_slices(mask, before, case, kind)
        correction = Correction.objects.create(
            case=case,
            row=row,
            author=author,
            model=model,
            kind=kind,
            file=file,
            sha256=digest,
            images_sha256=case.images_sha256,
            slices=_saves_on(slices, standing),
            changed_share=changed_share(mask, before),
        )
        _tell_of(correction)
    return correction


def changed_share(after: Mask, before: Mask) -> float:
    """Voxels whose label differs, as a share of the voxels that have a label in either; 0 where both are empty."""
    either = np.count_nonzero(after.foreground | before.foreground)
    return float(np.count_nonzero(after.data != before.data)) / either if either else 0.0


def correction_file(correction: Correction) -> StoredFile:
    """The correction's NIfTI file."""
    what = f"correction {correction.pk} of {correction.case.code}"
    return StoredFile(correction.path, correction.sha256, what, FROM_BACKUP, case=correction.case)


def put_in(mask: Mask, case: Case, corrections: Mapping[int, Correction]) -> None:
    """Puts slices of corrections into a mask.

    Args:
        mask: On the case's grid; changed in place.
        case: The case.
        corrections: By slice index.
    """
    axis = picture_plane(case).slice_axis
    read: dict[int, Mask] = {}
    for index, correction in corrections.items():
        if correction.pk not in read:
            read[correction.pk] = read_mask(whole_file(correction_file(correction)), labels=mask.labels)
        place = tuple(index if one == axis else slice(None) for one in range(3))
        mask.data[place] = read[correction.pk].data[place]


def corrections_in(mask: CaseMask, saved: Iterable[int]) -> dict[int, Correction]:
    """The correction on each slice of an assembled mask that none of its saves is on.

    Args:
        mask: The mask's record.
        saved: Slices of its saves.
    """
    found: dict[int, Correction] = {}
    for correction in mask.corrections.order_by("pk"):
        found.update({index: correction for index in correction.replaces if index in mask.annotated_slices})
    for index in saved:
        found.pop(index, None)
    return found


def _require_of_case(mask: Mask, case: Case) -> None:
    """Refuses a mask on another grid than the case's, or with values that no label of its protocol has."""
    picture_plane(case).grid.require_match(mask.grid, what="A correction and its case")
    names = case.protocol.label_names
    unknown = sorted(set(np.unique(mask.data).tolist()) - {0, *names})
    if unknown:
        raise RejectedInput(
            "correction-label",
            f"The mask holds the values {', '.join(map(str, unknown[:5]))}, which no label of the protocol has.",
            remedy=f"Use {', '.join(f'{value} for {name}' for value, name in names.items())}.",
        )


def _written(mask: Mask, case: Case) -> tuple[str, str]:
    """Writes a mask under a name made of its digest; its place in the case's folder, and the digest."""
    content = encode(mask.data, picture_plane(case).grid.affine)
    digest = sha256_of_bytes(content)
    file = f"masks/correction-{digest[:16]}.nii.gz"
    write_bytes(case.folder / file, content)
    return file, digest


def _require_base(standing: Standing, base: CaseMask | None) -> None:
    if standing.mask != base or (base is None and standing.is_to_be_assembled):
        raise RejectedInput(
            "mask-superseded",
            "The mask that was corrected does not count any more: somebody has drawn meanwhile.",
            remedy="Load the page, look at the new mask, and correct that one.",
        )


def _before(standing: Standing, like: Mask) -> Mask:
    """The mask that counts; an empty one where there is none."""
    if standing.mask is None:
        return Mask(np.zeros_like(like.data), like.grid, like.labels)
    return read_mask(standing.mask.path, labels=standing.mask.label_names)


def _replaced_slices(after: Mask, before: Mask, case: Case, kind: CorrectionKind) -> Sequence[int]:
    """The slices on which a correction counts: those that a reviewer changed, or all; refused where there are none."""
    plane = picture_plane(case)
    if kind is not CorrectionKind.CORRECTED:
        return range(plane.grid.shape[plane.slice_axis])
    others = tuple(one for one in range(3) if one != plane.slice_axis)
    changed = np.flatnonzero((after.data != before.data).any(axis=others)).tolist()
    if not changed:
        raise RejectedInput(
            "correction-empty", "The mask is the one that counts already.", remedy="Nothing is to be done."
        )
    return changed


def _saves_on(slices: Iterable[int], standing: Standing) -> dict[int, str]:
    """What stands on each of some slices when a correction is made: its save's digest; empty where there is none."""
    return {index: standing.saves[index].content_sha256 if index in standing.saves else "" for index in slices}


def _tell_of(correction: Correction) -> None:
    """Closes what the case's tasks ask for, where a correction stands for all of it, and tells who listens."""
    case = correction.case
    if correction.kind != CorrectionKind.CORRECTED:
        LabelingTask.objects.filter(case=case).update(state=TaskState.ANNOTATED, review_comment="")
    saves_settled.send(sender=Correction, case=case)
    saves_arrived.send(sender=Correction, case_code=case.code)
