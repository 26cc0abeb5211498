"""nnU-Net's raw dataset, with the suggested folds where nnU-Net looks for them.

    raw/Dataset001_ThighTumours/            imagesTr, labelsTr, dataset.json
    preprocessed/Dataset001_ThighTumours/   splits_final.json

Axes are turned to right, anterior, superior, voxels are not touched (`datasets.formats.nnunet_dataset`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from datasets.finding import Finding, Level
from datasets.formats.nnunet_dataset import (
    CT_CHANNEL,
    SPLITS_NAME,
    NnunetCase,
    dataset_folder_name,
    require_case_names,
    values_of_labels,
    write_raw_dataset,
    write_splits,
)
from datasets.image.mask import Mask
from datasets.progress import Progress
from datasets.release.exports.dataset_names import dataset_name
from datasets.release.exports.options import ExportOptions
from datasets.release.exports.prepared import PreparedExport
from datasets.release.exports.selection import Selection
from datasets.release.settings import ReleaseRole
from datasets.study.protocol import Modality

RAW, PREPROCESSED = "raw", "preprocessed"

_LOADING = """To use it with nnU-Net v2, in this folder:

    export nnUNet_raw=$PWD/raw nnUNet_preprocessed=$PWD/preprocessed nnUNet_results=$PWD/results
    nnUNetv2_plan_and_preprocess -d {number} --verify_dataset_integrity
    nnUNetv2_train {number} 3d_fullres 0

splits_final.json holds the release's suggested folds: no patient is in two of them."""


def prepare(selection: Selection, options: ExportOptions) -> PreparedExport:
    """A dataset of nnU-Net; arguments, result and errors as `datasets.release.exports.formats.ExportFormat` says.

    Raises:
        RejectedInput: A number, name, case or label that nnU-Net cannot have.
    """
    folder = dataset_folder_name(options.number, dataset_name(selection.source, options))
    require_case_names(case.code for case in selection.cases)
    values = values_of_labels(selection.source.labels.values())
    channels = [_channel(role) for role in selection.roles]

    def write(part: Path, progress: Progress) -> tuple[()]:
        cases = _cases(selection, values, progress)
        write_raw_dataset(part / RAW / folder, cases, channels=channels, labels=values, said=_said(selection))
        patients = {case.code: case.patient for case in selection.cases}
        write_splits(part / PREPROCESSED / folder / SPLITS_NAME, selection.folds, patients)
        return ()

    facts = {"dataset": folder, "channels": channels, "values": values}
    return PreparedExport(write, _LOADING.format(number=options.number), facts, tuple(_findings(selection, values)))


def _cases(selection: Selection, values: Mapping[str, int], progress: Progress) -> Iterator[NnunetCase]:
    table = np.zeros(256, np.uint8)
    for value, name in selection.source.labels.items():
        table[value] = values[name]
    for done, case in enumerate(selection.cases, start=1):
        mask = selection.source.mask(case)
        images = [selection.source.volume(case, role.name) for role in selection.roles]
        yield NnunetCase(case.code, images, Mask(table[mask.data], mask.grid))
        progress(done, len(selection.cases))


def _channel(role: ReleaseRole) -> str:
    """The role's own name; a CT's says what its numbers are."""
    return CT_CHANNEL if role.modality is Modality.CT else role.name


def _said(selection: Selection) -> dict[str, object]:
    """What comes back with nnU-Net's results: kinds of the images, the release, and the release's own values."""
    return {
        "images": [role.kind for role in selection.roles],
        "roles": [role.name for role in selection.roles],
        "inputs": {"release": selection.source.digest},
        "values": {name: value for value, name in selection.source.labels.items()},
    }


def _findings(selection: Selection, values: Mapping[str, int]) -> Iterator[Finding]:
    moved = {name: value for value, name in selection.source.labels.items() if values[name] != value}
    if moved:
        said = ", ".join(f"{name} is {values[name]} and was {value}" for name, value in moved.items())
        message = f"nnU-Net knows no gaps between values of labels: {said}."
        yield Finding(Level.INFO, "export-label-values", message, "Nothing; dataset.json names them.")
    if len(selection.folds) < 2:
        message = "The release suggests a single fold, in which nothing is left to learn from."
        yield Finding(Level.WARNING, "export-one-fold", message, "Remove splits_final.json: nnU-Net makes its own.")
