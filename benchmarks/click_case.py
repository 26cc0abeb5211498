"""The case that click models are timed on: a real T1 (with CT and PET where the model wants them), or a phantom."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.formats.nifti import read_mask, read_volume
from datasets.image.volume import Grid, Volume
from datasets.phantom.anatomy import draw_anatomy
from datasets.study.case import TissueType
from training.prompts.prompt import Click

PHANTOM_SHAPE = (200, 200, 60)
PHANTOM_SPACING_MM = (0.8, 0.8, 3.0)

_FILES = {"t1": "MR_T1", "ct": "CT", "pet": "PET"}


@dataclass(frozen=True, eq=False)
class ClickCase:
    """Images on one grid, and the tumour for simulated clicks."""

    volumes: Mapping[str, Volume]
    tumour: NDArray[np.bool_]

    @property
    def grid(self) -> Grid:
        """The grid of all images."""
        return next(iter(self.volumes.values())).grid

    def click(self, index: tuple[int, ...], *, positive: bool) -> Click:
        """A click on the centre of a voxel."""
        x, y, z = (float(value) for value in self.grid.to_world(index))
        return Click((x, y, z), positive)


def one_slice(volume: Volume, axis: int, index: int) -> Volume:
    """Slice `index` along `axis` as a volume of its own, where it lies in the patient."""
    data = volume.data.take([index], axis)
    affine = np.array(volume.grid.affine)
    affine[:3, 3] += affine[:3, axis] * index
    return Volume(data, Grid((data.shape[0], data.shape[1], data.shape[2]), affine))


def real_case(folder: Path, images: tuple[str, ...]) -> ClickCase:
    """A patient of the collection by the names of its NIfTI files; the first image's mask counts."""
    volumes = {name: read_volume(folder / f"{_FILES[name]}_image.nii.gz") for name in images}
    return ClickCase(volumes, read_mask(folder / f"{_FILES[images[0]]}_mask.nii.gz").foreground)


def phantom_case(images: tuple[str, ...], *, seed: int = 0) -> ClickCase:
    """A limb with a tumour, drawn by formula; every image shows its T1 with other noise."""
    random = np.random.default_rng(seed)
    affine = np.diag([*PHANTOM_SPACING_MM, 1.0])
    affine[:3, 3] = -np.array(PHANTOM_SPACING_MM) * (np.array(PHANTOM_SHAPE) - 1) / 2
    grid = Grid(PHANTOM_SHAPE, affine)
    anatomy = draw_anatomy(TissueType.MYXOID, random)
    points = grid.to_world(np.moveaxis(np.indices(PHANTOM_SHAPE), 0, -1))
    signal = 600.0 * anatomy.signal(points, sequence="t1")
    volumes = {name: Volume((signal + random.normal(0, 12, signal.shape)).astype(np.float32), grid) for name in images}
    return ClickCase(volumes, anatomy.tumour_distance(points) < 0)
