"""A folder of phantoms with masks, as a cohort lies on a disk."""

from pathlib import Path

from datasets.formats.nifti import write_mask, write_volume
from tests.training.support.synthetic import blob_case

GLOBS = ("--image-glob", "*/T1.nii.gz", "--mask-glob", "*/mask.nii.gz")

_ALIKE = (2, 3, 6, 7, 8)
"""Phantoms whose tumours span as many slices, so that the folds of six points plan one network and make an ensemble."""


def write_cohort(folder: Path, *, count: int = 4) -> list[str]:
    """Writes patients ``P1``, ``P2`` … with T1, T2 and mask; their names."""
    for number, blob in enumerate(_ALIKE[:count], start=1):
        case = blob_case(blob)
        write_volume(folder / f"P{number}" / "T1.nii.gz", case.volumes["t1"])
        write_volume(folder / f"P{number}" / "T2.nii.gz", case.volumes["t2"])
        write_mask(folder / f"P{number}" / "mask.nii.gz", case.mask)
    return [f"P{number}" for number in range(1, count + 1)]
