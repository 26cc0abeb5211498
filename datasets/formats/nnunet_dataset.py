"""A raw dataset of nnU-Net: images, masks, `dataset.json`, and folds as its `splits_final.json`.

All files have axes to right, anterior, superior: nnU-Net does not turn images, so they must lie alike.

Source: nnU-Net's documentation/dataset_format.md and manual_data_splits.md.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.files import write_json
from datasets.formats.nifti import write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.orientation import as_ras
from datasets.image.volume import Volume

PROVENANCE = "maskloop"
"""Key of `dataset.json`, which nnU-Net leaves alone and lays beside its results."""

AXCODES = "RAS"
"""Where the axes of all files of a dataset of ours run."""

DATASET_NAME = "dataset.json"
SPLITS_NAME = "splits_final.json"

CT_CHANNEL = "CT"
"""Name of a channel in Hounsfield units: nnU-Net then clips it and normalises it by the dataset's foreground."""

_BACKGROUND = "background"
_OF_NNUNET = frozenset({_BACKGROUND, "ignore"})
"""Names of labels that mean something of their own to nnU-Net."""

_CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, eq=False)
class NnunetCase:
    """A case of a dataset.

    Args:
        name: Letters, digits, hyphens and underscores.
        images: In the order of the channels, on one grid.
        mask: On the same grid, with the values that nnU-Net is to see: 0 and then 1, 2, 3 without a gap.
    """

    name: str
    images: Sequence[Volume]
    mask: Mask


def dataset_folder_name(number: int, name: str) -> str:
    """``Dataset007_thigh``.

    Raises:
        RejectedInput: The number is not 1 to 999, or the name has other characters than letters and digits.
    """
    if not (1 <= number <= 999 and re.fullmatch(r"[A-Za-z0-9]{1,40}", name)):
        raise RejectedInput(
            "nnunet-dataset",
            "A dataset of nnU-Net has a number from 1 to 999 and a name of letters and digits.",
            remedy="Correct --number or --name.",
        )
    return f"Dataset{number:03d}_{name}"


def require_case_names(cases: Iterable[str]) -> None:
    """Refuses cases whose names cannot be those of files.

    Raises:
        RejectedInput: ``nnunet-case``.
    """
    if unfit := [case for case in cases if not _CASE.fullmatch(case)]:
        raise RejectedInput(
            "nnunet-case",
            f"{len(unfit)} case(s) have names that nnU-Net cannot have: letters, digits, hyphens and underscores.",
            remedy="Rename the folders of these cases.",
        )


def values_of_labels(labels: Iterable[str]) -> dict[str, int]:
    """The value that each label has for nnU-Net, which knows no gaps between values.

    Args:
        labels: Their names, in the order of their own values.

    Raises:
        RejectedInput: A name means something of its own to nnU-Net (``nnunet-label``).
    """
    names = list(labels)
    if any(name.strip().casefold() in _OF_NNUNET for name in names):
        raise RejectedInput(
            "nnunet-label",
            "A label is called background or ignore, which nnU-Net takes for something of its own.",
            remedy="Give the label another name.",
        )
    return {name: value for value, name in enumerate(names, start=1)}


def write_raw_dataset(
    folder: Path,
    cases: Iterable[NnunetCase],
    *,
    channels: Sequence[str],
    labels: Mapping[str, int],
    said: Mapping[str, Any],
) -> None:
    """Writes the cases one by one, then what they are.

    Args:
        folder: ``nnUNet_raw/DatasetXXX_name``, or the part of it that is moved there later; made if absent.
        cases: As they are asked for, one at a time.
        channels: Names of the images, by which nnU-Net chooses their normalisation (`CT_CHANNEL`).
        labels: As of `values_of_labels`.
        said: What `PROVENANCE` says.
    """
    count = 0
    for case in cases:
        _write_case(folder, case)
        count += 1
    described = {
        "channel_names": {str(number): name for number, name in enumerate(channels)},
        "labels": {_BACKGROUND: 0, **labels},
        "numTraining": count,
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "SimpleITKIO",
        PROVENANCE: dict(said),
    }
    write_json(folder / DATASET_NAME, described)


def write_splits(path: Path, folds: Iterable[Sequence[str]], patients: Mapping[str, str]) -> None:
    """Writes folds as nnU-Net reads them; nobody of a fold's patients is learned from in it.

    Args:
        path: ``nnUNet_preprocessed/DatasetXXX_name/splits_final.json``.
        folds: The cases each fold is tested on.
        patients: The patient of each case.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, [_split(fold, patients) for fold in folds])


def _split(fold: Sequence[str], patients: Mapping[str, str]) -> dict[str, list[str]]:
    held = {patients[case] for case in fold}
    return {"train": sorted(case for case, patient in patients.items() if patient not in held), "val": sorted(fold)}


def _write_case(folder: Path, case: NnunetCase) -> None:
    for number, image in enumerate(case.images):
        write_volume(folder / "imagesTr" / f"{case.name}_{number:04d}.nii.gz", _turned(image))
    mask = _turned(Volume(case.mask.data, case.mask.grid))
    write_mask(folder / "labelsTr" / f"{case.name}.nii.gz", Mask(_as_bytes(mask.data), mask.grid))


def _turned(volume: Volume) -> Volume:
    turned = as_ras(volume)
    return Volume(np.ascontiguousarray(turned.data), turned.grid)


def _as_bytes(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.asarray(values, dtype=np.uint8)
