"""Training slices: a case at 1 mm in every direction, cut in three planes into triplets of each image with their mask.

All in memory; what exports and trainings elsewhere need is kept as PNGs. Volumes are resampled first and windowed then.

Source: MSTT-199 (Reasat et al.), section on training, and its code. `normalize_mri` clips at percentiles 0.5 and 99.5
of all voxels (the paper prints 0.05 and 99.95) and scales what is left by its minimum and maximum to 0..255;
`formatSignal` takes z-1, z, z+1, the edge slice standing in beyond the edges; slices with more tumour pixels than a
number are kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.intensity import STANDARD, FixedWindow, Window, percentile_window, presets_of, to_uint8
from datasets.image.mask import Mask, tumour_alone
from datasets.image.resample import isotropic, resample_mask, resample_volume
from datasets.image.volume import Grid, Volume
from datasets.pictures.picture_plane import AnatomicalPlane, PicturePlane
from datasets.study.case import CaseVolumes
from datasets.study.triplets import triplet_indices

MIN_SPACING_MM, MAX_SPACING_MM = 0.2, 10.0


@dataclass(frozen=True)
class TrainingSliceSettings:
    """Settings by which a case becomes training slices.

    Args:
        spacing_mm: Side of a voxel, 0.2 to 10 mm.
        low_percentile: Percentile, in percent of all voxels, that becomes 0.
        high_percentile: Percentile that becomes 255.
        above_tumour_pixels: A slice counts as one with a tumour when it has more tumour pixels than this: 0 for
            MSTT-199's U-Net, 100 for its LiteMedSAM. Slices with some, but no more than this, are left out.
        negatives_per_positive: Slices without any tumour for each one with, evenly spread; 0 for none (MSTT-199, whose
            networks never saw an empty slice).
        planes: The planes in which it is cut, in this order.

    Raises:
        RejectedInput: A value is out of range (``training-slice-settings``).
    """

    spacing_mm: float = 1.0
    low_percentile: float = STANDARD.low
    high_percentile: float = STANDARD.high
    above_tumour_pixels: int = 0
    negatives_per_positive: float = 0.0
    planes: tuple[AnatomicalPlane, ...] = (AnatomicalPlane.AXIAL, AnatomicalPlane.CORONAL, AnatomicalPlane.SAGITTAL)

    def __post_init__(self) -> None:
        sound = (
            MIN_SPACING_MM <= self.spacing_mm <= MAX_SPACING_MM
            and 0.0 <= self.low_percentile < self.high_percentile <= 100.0
            and self.above_tumour_pixels >= 0
            and 0.0 <= self.negatives_per_positive <= 1e6
            and 0 < len(self.planes) == len(set(self.planes))
        )
        if not sound:
            raise RejectedInput(
                "training-slice-settings",
                f"The settings need a spacing of {MIN_SPACING_MM:g} to {MAX_SPACING_MM:g} mm, rising percentiles of "
                "0 to 100, no negative threshold or ratio, and each plane once.",
                remedy="Correct the settings of the training slices.",
            )


@dataclass(frozen=True, eq=False)
class IsotropicCase:
    """A case with cubic voxels.

    Args:
        grid: Where its voxels lie.
        images: Role to uint8 (i, j, k), the roles in alphabetical order.
        tumour: Boolean (i, j, k).
        windows: Role to the intensities that became 0 and 255.
    """

    grid: Grid
    images: Mapping[str, NDArray[np.uint8]]
    tumour: NDArray[np.bool_]
    windows: Mapping[str, Window]


@dataclass(frozen=True, eq=False)
class TrainingSlice:
    """One slice as a network sees it.

    Args:
        plane: Its plane.
        index: Voxel index along the plane's slice axis of `IsotropicCase.grid`.
        images: Role to uint8 (3, height, width), the image at z-1, z, z+1; the roles in alphabetical order.
        tumour: Boolean (height, width), of slice z.
    """

    plane: AnatomicalPlane
    index: int
    images: Mapping[str, NDArray[np.uint8]]
    tumour: NDArray[np.bool_]

    @property
    def channels(self) -> NDArray[np.uint8]:
        """uint8 (3 for each role, height, width): triplet by triplet."""
        return np.concatenate(list(self.images.values()))

    @property
    def tumour_pixels(self) -> int:
        """Number of pixels of slice z that are tumour."""
        return int(np.count_nonzero(self.tumour))


def isotropic_case(
    volumes: CaseVolumes,
    mask: Mask,
    settings: TrainingSliceSettings,
    *,
    modalities: Mapping[str, str] | None = None,
) -> IsotropicCase:
    """A case and its mask with cubic voxels: images interpolated linearly, the mask as `resample_mask` says.

    A CT and a PET have windows of their own (`presets_of`). The percentiles are of all voxels after resampling. They
    are also the least and the greatest of what clipping leaves, so that they become 0 and 255.

    Raises:
        GeometryError: The mask lies on another grid than the images.
        RejectedInput: The case would be too large (``case-grid-too-large``).
    """
    volumes.grid.require_match(mask.grid, what="Case and its mask")
    grid = isotropic(volumes.grid, settings.spacing_mm)
    grey = {
        role: _grey(volumes[role], grid, settings, modality=(modalities or {}).get(role, "MR"))
        for role in sorted(volumes.roles)
    }
    tumour = resample_mask(tumour_alone(mask), grid).foreground
    images = {role: picture for role, (picture, _) in grey.items()}
    return IsotropicCase(grid, images, tumour=tumour, windows={role: window for role, (_, window) in grey.items()})


def training_slices(case: IsotropicCase, settings: TrainingSliceSettings) -> Iterator[TrainingSlice]:
    """The chosen slices of every plane, by rising index; arrays are made as they are asked for."""
    for plane in settings.planes:
        pictures = PicturePlane.of(case.grid, anatomical=plane)
        stacks, tumour = {role: pictures.stack(data) for role, data in case.images.items()}, pictures.stack(case.tumour)
        for index in chosen_slices(tumour.sum(axis=(1, 2)), settings):
            [around] = triplet_indices([index], pictures.slice_count)
            images = {role: stack[around] for role, stack in stacks.items()}
            yield TrainingSlice(plane, index, images=images, tumour=tumour[index].copy())


def chosen_slices(tumour_pixels: NDArray[np.integer], settings: TrainingSliceSettings) -> list[int]:
    """Slices with a tumour, and evenly spread ones without, by rising index.

    Args:
        tumour_pixels: Number of tumour pixels of every slice of a stack.
        settings: The threshold and the ratio.
    """
    positive = np.flatnonzero(tumour_pixels > settings.above_tumour_pixels)
    empty = np.flatnonzero(tumour_pixels == 0)
    count = min(len(empty), round(settings.negatives_per_positive * len(positive)))
    spread = ((np.arange(count) + 0.5) * len(empty) / max(count, 1)).astype(int)
    return sorted([*positive.tolist(), *empty[spread].tolist()])


def _grey(
    volume: Volume, grid: Grid, settings: TrainingSliceSettings, *, modality: str
) -> tuple[NDArray[np.uint8], Window]:
    resampled, [first, *_] = resample_volume(volume, grid), presets_of(modality)
    if isinstance(first, FixedWindow):
        window = first.window
    else:
        window = percentile_window(resampled.data, low=settings.low_percentile, high=settings.high_percentile)
    return to_uint8(resampled.data, window=window), window
