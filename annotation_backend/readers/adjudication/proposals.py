"""Works out, once for each set of readers' masks, where they differ, and the masks that STAPLE and a majority make."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import FROM_BACKUP, StoredFile, whole_file
from annotation_backend.readers.adjudication.readings import Readings
from annotation_backend.readers.models import Proposals
from datasets.files import sha256_of_bytes, write_bytes
from datasets.formats.nifti import encode, read_mask
from datasets.image.mask import Inside, Mask
from training.adjudication.disagreement import Disagreement, disagreement
from training.adjudication.proposals import majority, staple

MOST_REGIONS = 60
"""Regions of a label that are listed one by one, the largest; the rest follows a rule."""


def proposals_for(readings: Readings) -> Proposals | None:
    """What was worked out of these masks; None where a job still has to."""
    return Proposals.objects.filter(row=readings.row, masks_sha256=readings.masks_sha256).first()


def make_proposals(readings: Readings) -> Proposals:
    """Works out regions and proposals, and keeps them; takes seconds; the same masks give the same record.

    Raises:
        RejectedInput: A mask's file is damaged.
    """
    known = proposals_for(readings)
    if known is not None:
        return known
    labels = readings.case.protocol.label_names
    inside = {name: readings.inside(name) for name in labels.values()}
    performance: dict[str, dict[str, list[float]]] = {}

    def _staple(masks: Mapping[str, Inside], label: str) -> Inside:
        found = staple(masks)
        performance[label] = {seat: [found.sensitivity[seat], found.specificity[seat]] for seat in masks}
        return found.inside

    stapled = _together(readings, inside, _staple)
    most = _together(readings, inside, lambda masks, _label: majority(masks))
    stapled_file, stapled_sha256 = _written(readings, stapled, "staple")
    majority_file, majority_sha256 = _written(readings, most, "majority")
    regions = {label: _rows(differences(readings, masks)) for label, masks in inside.items()}
    return Proposals.objects.get_or_create(
        row=readings.row,
        masks_sha256=readings.masks_sha256,
        defaults={
            "regions": {label: rows for label, rows in regions.items() if rows},
            "performance": performance,
            "staple_file": stapled_file,
            "staple_sha256": stapled_sha256,
            "majority_file": majority_file,
            "majority_sha256": majority_sha256,
        },
    )[0]


def proposed_mask(proposals: Proposals, name: str) -> Mask:
    """A proposal's volume: ``staple`` or ``majority``.

    Raises:
        DamagedFile: Its file is not the one that was written.
    """
    file, digest = {
        "staple": (proposals.staple_file, proposals.staple_sha256),
        "majority": (proposals.majority_file, proposals.majority_sha256),
    }[name]
    case = proposals.row.case
    stored = StoredFile(proposals.path_of(file), digest, f"the {name} of {case.code}", FROM_BACKUP, case=case)
    return read_mask(whole_file(stored), labels=case.protocol.label_names)


def differences(readings: Readings, masks: Mapping[str, Inside]) -> Disagreement:
    """Where readers differ in a label.

    Args:
        readings: The readings.
        masks: Their voxels of the label, by seat.
    """
    plane = picture_plane(readings.case)
    return disagreement(masks, plane.grid, plane.slice_axis)


def label_map(readings: Readings, inside: Mapping[str, Inside]) -> Mask:
    """One label map of masks by label; on a voxel of several, the label that stands first in the protocol counts."""
    labels, grid = readings.case.protocol.label_names, picture_plane(readings.case).grid
    data = np.zeros(grid.shape, np.uint8)
    for value, name in reversed(list(labels.items())):
        if name in inside:
            data[inside[name]] = value
    return Mask(data, grid, labels)


def _together(
    readings: Readings,
    inside: Mapping[str, Mapping[str, Inside]],
    propose: Callable[[Mapping[str, Inside], str], Inside],
) -> Mask:
    return label_map(
        readings,
        {name: propose(masks, name) for name, masks in inside.items() if any(mask.any() for mask in masks.values())},
    )


def _written(readings: Readings, mask: Mask, name: str) -> tuple[str, str]:
    content = encode(mask.data, mask.grid.affine)
    digest = sha256_of_bytes(content)
    file = f"masks/{name}-{digest[:16]}.nii.gz"
    write_bytes(readings.case.folder / file, content)
    return file, digest


def _rows(found: Disagreement) -> list[dict[str, Any]]:
    """The largest regions as plain values."""
    return [
        {"number": region.number, "inside": region.inside, "outside": region.outside, **asdict(region.part)}
        for region in found.regions[:MOST_REGIONS]
    ]
