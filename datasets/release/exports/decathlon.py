"""The Medical Segmentation Decathlon's layout: one image a case, whose fourth axis holds the channels.

    Task01_ThighTumours/   imagesTr, labelsTr, dataset.json

Axes, values and labels are the release's own.

Source: Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13:4128 (2022), and its datasets.
"""

import re
from pathlib import Path

import numpy as np

from datasets.errors import RejectedInput
from datasets.files import write_bytes, write_json
from datasets.formats.nifti import encode, write_mask
from datasets.progress import Progress
from datasets.release.case_files import compact
from datasets.release.exports.dataset_names import dataset_name
from datasets.release.exports.options import ExportOptions
from datasets.release.exports.prepared import PreparedExport
from datasets.release.exports.selection import Selection
from datasets.release.exports.source import SourceCase

_LOADING = """To use it with MONAI, in Python:

    from monai.data import load_decathlon_datalist
    cases = load_decathlon_datalist("{folder}/dataset.json", is_segmentation=True, data_list_key="training")

The fourth axis of an image holds its channels: {channels}."""


def prepare(selection: Selection, options: ExportOptions) -> PreparedExport:
    """A task of the Decathlon; arguments, result and errors as `datasets.release.exports.formats.ExportFormat` says.

    Raises:
        RejectedInput: A number or name that no task has (``decathlon-task``).
    """
    folder = _task_name(options.number, dataset_name(selection.source, options))

    def write(part: Path, progress: Progress) -> tuple[()]:
        for done, case in enumerate(selection.cases, start=1):
            _write_case(part / folder, selection, case)
            progress(done, len(selection.cases))
        write_json(part / folder / "dataset.json", _described(selection, folder))
        return ()

    channels = ", ".join(f"{number} {role.name}" for number, role in enumerate(selection.roles))
    return PreparedExport(write, _LOADING.format(folder=folder, channels=channels), {"dataset": folder})


def _task_name(number: int, name: str) -> str:
    if not (1 <= number <= 99 and re.fullmatch(r"[A-Za-z0-9]{1,40}", name)):
        raise RejectedInput(
            "decathlon-task",
            "A task of the Decathlon has a number from 1 to 99 and a name of letters and digits.",
            remedy="Correct --number or --name.",
        )
    return f"Task{number:02d}_{name}"


def _write_case(folder: Path, selection: Selection, case: SourceCase) -> None:
    volumes = [selection.source.volume(case, role.name) for role in selection.roles]
    data = volumes[0].data if len(volumes) == 1 else compact(np.stack([each.data for each in volumes], axis=-1))
    write_bytes(folder / "imagesTr" / f"{case.code}.nii.gz", encode(data, volumes[0].grid.affine, is_working_copy=True))
    write_mask(folder / "labelsTr" / f"{case.code}.nii.gz", selection.source.mask(case))


def _described(selection: Selection, folder: str) -> dict[str, object]:
    source = selection.source
    names = [f"{case.code}.nii.gz" for case in selection.cases]
    return {
        "name": folder.partition("_")[2],
        "description": f"{source.name} {source.version}",
        "reference": f"release digest {source.digest}",
        "licence": source.licence,
        "release": source.version,
        "tensorImageSize": "3D" if len(selection.roles) == 1 else "4D",
        "modality": {str(number): role.name for number, role in enumerate(selection.roles)},
        "labels": {"0": "background", **{str(value): name for value, name in source.labels.items()}},
        "numTraining": len(names),
        "numTest": 0,
        "training": [{"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"} for name in names],
        "test": [],
    }
