"""Compares the readings of a case's stage two by two, label by label, and keeps the figures with the masks' digests."""

import logging
from itertools import combinations

import numpy as np
from django.db import transaction

from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import whole_file
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.stored_masks import mask_file
from annotation_backend.readers.models import PairAgreement
from annotation_backend.stages.models import CaseStage, Reading
from datasets.files import canonical_json, sha256_of_bytes
from datasets.formats.nifti import read_mask
from datasets.image.mask import Mask
from training.measures.readers import MaskAgreement, mask_agreement, slice_agreement

logger = logging.getLogger(__name__)


def handed_in_masks(row: CaseStage) -> dict[Reading, CaseMask]:
    """The mask of each reading that was handed in, by seat; readers who drew nothing have none."""
    readings = Reading.objects.filter(row=row, handed_in_at__isnull=False).select_related("person").order_by("seat")
    found = {reading: assemble(row.case, reading) for reading in readings}
    return {reading: mask for reading, mask in found.items() if mask is not None}


def volume_of(mask: CaseMask) -> Mask:
    """A mask's volume, compared with its digest.

    Raises:
        DamagedFile: The file is not the one that was written.
    """
    return read_mask(whole_file(mask_file(mask)), labels=mask.label_names)


def compare_pairs(row: CaseStage) -> list[PairAgreement]:
    """Compares the masks that were handed in of a stage two by two; safe to run twice.

    Returns:
        The figures that hold now; those of masks that do not count any more are kept, and marked.

    Raises:
        RejectedInput: A mask's file is damaged, or the case's grid is sheared.
    """
    masks = list(handed_in_masks(row).values())
    volumes: dict[int, Mask] = {}
    found = []
    for first, second in combinations(masks, 2):
        for label in _labels(row, (first, second), volumes):
            known = PairAgreement.objects.filter(first=first, second=second, label=label).first()
            found.append(known or _compared(row, (first, second), label, volumes))
    with transaction.atomic():
        of_row = PairAgreement.objects.filter(row=row)
        keys = [one.pk for one in found]
        of_row.exclude(pk__in=keys).update(is_current=False)
        of_row.filter(pk__in=keys).update(is_current=True)
    return found


def _labels(row: CaseStage, pair: tuple[CaseMask, CaseMask], volumes: dict[int, Mask]) -> list[str]:
    """The labels that either of two readers drew, and that which models learn, which may be nowhere by both's word."""
    for mask in pair:
        volumes.setdefault(mask.pk, volumes.get(mask.pk) or volume_of(mask))
    drawn = set(np.unique(np.concatenate([np.unique(volumes[mask.pk].data) for mask in pair])).tolist())
    protocol = row.case.protocol
    return [
        name for value, name in protocol.label_names.items() if value in drawn or value == protocol.learned_label.value
    ]


def _compared(row: CaseStage, pair: tuple[CaseMask, CaseMask], label: str, volumes: dict[int, Mask]) -> PairAgreement:
    one, other = (volumes[mask.pk] for mask in pair)
    first, second = one.label(label), other.label(label)
    whole = mask_agreement(first, second, one.grid)
    by_slice = slice_agreement(first, second, one.grid, picture_plane(row.case).slice_axis)
    digest = sha256_of_bytes(canonical_json([mask.sha256 for mask in pair]))
    made, _ = PairAgreement.objects.get_or_create(
        first=pair[0],
        second=pair[1],
        label=label,
        defaults={
            "row": row,
            "masks_sha256": digest,
            **vars(whole),
            "by_slice": {str(index): _figures(of_slice) for index, of_slice in by_slice.items()},
        },
    )
    return made


def _figures(found: MaskAgreement) -> list[float | None]:
    return [found.dice, found.surface_dice_1mm, found.hd95_mm]
