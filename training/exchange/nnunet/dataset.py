"""A dataset as nnU-Net reads it: images, masks and `dataset.json`, with our folds as `splits_final.json`.

All files have axes to right, anterior, superior: nnU-Net does not turn images, so they must lie alike.

Source: nnU-Net's documentation/dataset_format.md and manual_data_splits.md.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datasets.errors import RejectedInput
from datasets.files import write_json
from datasets.formats.nifti import write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.orientation import as_ras
from datasets.image.volume import Volume
from datasets.part_folder import part_folder, place_part
from datasets.progress import Progress
from datasets.study.image_kind import ImageKind
from datasets.study.protocol import Modality
from datasets.study.splits.split_case import Folds

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.fitting.examples import Example

PROVENANCE = "maskloop"
"""Key of `dataset.json`, which nnU-Net leaves alone and lays beside its results."""

AXCODES = "RAS"
"""Where the axes of all files of a dataset of ours run."""

DATASET_NAME = "dataset.json"
SPLITS_NAME = "splits_final.json"

_CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_CT = "CT"
"""Name of a channel in Hounsfield units: nnU-Net then clips it and normalises it by the dataset's foreground."""


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


def write_dataset(
    folder: Path,
    cases: Sequence[str],
    load: "Callable[[str], Example]",
    *,
    kinds: Sequence[str],
    label: str,
    inputs: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> None:
    """Writes the raw dataset of some cases, whole or not at all.

    Args:
        folder: ``nnUNet_raw/DatasetXXX_name``; must not exist.
        cases: Their names.
        load: Reads the example of a case.
        kinds: Of the images, in the order of the channels.
        label: Name of the label in the masks.
        inputs: SHA-256 of what the cases are, which comes back with nnU-Net's results.
        progress: Called with the cases written, and those to write.

    Raises:
        RejectedInput: Something lies at `folder`, or a case's name cannot be a file's.
    """
    if unfit := [case for case in cases if not _CASE.fullmatch(case)]:
        raise RejectedInput(
            "nnunet-case",
            f"{len(unfit)} case(s) have names that nnU-Net cannot have: letters, digits, hyphens and underscores.",
            remedy="Rename the folders of these cases.",
        )
    if folder.exists():
        raise RejectedInput(
            "nnunet-exists",
            f"{folder.name} is there already; nnU-Net's plans and folds of it would not fit other cases.",
            remedy="Give another --number, or remove that dataset with what nnU-Net made of it.",
        )
    with part_folder(folder.parent) as part:
        (part / "imagesTr").mkdir()
        (part / "labelsTr").mkdir()
        for number, case in enumerate(cases):
            _write_case(part, load(case), kinds)
            if progress is not None:
                progress(number + 1, len(cases))
        write_json(part / DATASET_NAME, _described(kinds, label, len(cases)) | {PROVENANCE: _said(kinds, inputs)})
        place_part(part, folder)


def write_splits(path: Path, folds: Folds, patients: Mapping[str, str]) -> None:
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


def _write_case(folder: Path, example: "Example", kinds: Sequence[str]) -> None:
    for number, kind in enumerate(kinds):
        turned = as_ras(example.volumes[kind])
        data = np.ascontiguousarray(turned.data, dtype=np.float32)
        write_volume(folder / "imagesTr" / f"{example.case}_{number:04d}.nii.gz", Volume(data, turned.grid))
    mask = as_ras(Volume(example.mask.foreground.astype(np.uint8), example.mask.grid))
    write_mask(folder / "labelsTr" / f"{example.case}.nii.gz", Mask(np.ascontiguousarray(mask.data), mask.grid))


def _described(kinds: Sequence[str], label: str, count: int) -> dict[str, Any]:
    return {
        "channel_names": {str(number): channel_name(kind) for number, kind in enumerate(kinds)},
        "labels": {"background": 0, label: 1},
        "numTraining": count,
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "SimpleITKIO",
    }


def _said(kinds: Sequence[str], inputs: Mapping[str, str] | None) -> dict[str, Any]:
    return {"images": list(kinds), "inputs": dict(inputs or {})}


def channel_name(kind: str) -> str:
    """The name of a channel, by which nnU-Net chooses its normalisation."""
    return _CT if ImageKind.from_word(kind).modality is Modality.CT else kind
