"""A MONAI datalist: one JSON with the suggested folds, whose paths begin at the release's folder. No file is copied.

Source: MONAI, `monai.data.load_decathlon_datalist`, and the ``fold`` key of Auto3DSeg.
"""

from pathlib import Path
from typing import Any

from datasets.files import write_json
from datasets.progress import Progress
from datasets.release.exports.options import ExportOptions
from datasets.release.exports.prepared import PreparedExport
from datasets.release.exports.selection import Selection
from datasets.release.exports.source import SourceCase

DATALIST_NAME = "datalist.json"

_LOADING = """To use it with MONAI, in Python, where the folder of the release lies:

    from monai.data import load_decathlon_datalist
    cases = load_decathlon_datalist("datalist.json", is_segmentation=True, data_list_key="training",
                                    base_dir="{title}")
    validation = [case for case in cases if case["fold"] == 0]

An image that is a list becomes channels in that order: {channels}. No patient is in two folds."""


def prepare(selection: Selection, _options: ExportOptions) -> PreparedExport:
    """A datalist of MONAI; arguments and result as `datasets.release.exports.formats.ExportFormat` says."""

    def write(part: Path, progress: Progress) -> tuple[()]:
        write_json(part / DATALIST_NAME, _datalist(selection))
        progress(len(selection.cases), len(selection.cases))
        return ()

    channels = ", ".join(role.name for role in selection.roles)
    return PreparedExport(write, _LOADING.format(title=selection.source.title, channels=channels))


def _datalist(selection: Selection) -> dict[str, Any]:
    source = selection.source
    fold_of = {code: number for number, fold in enumerate(selection.folds) for code in fold}
    return {
        "name": source.name,
        "description": f"{source.name} {source.version}",
        "licence": source.licence,
        "release": source.version,
        "reference": f"release digest {source.digest}",
        "modality": {str(number): role.name for number, role in enumerate(selection.roles)},
        "labels": {"0": "background", **{str(value): name for value, name in source.labels.items()}},
        "numTraining": len(selection.cases),
        "numTest": 0,
        "training": [_entry(selection, case, fold_of[case.code]) for case in selection.cases],
        "test": [],
    }


def _entry(selection: Selection, case: SourceCase, fold: int) -> dict[str, Any]:
    images = [case.images[role.name] for role in selection.roles]
    return {
        "image": images[0] if len(images) == 1 else images,
        "label": case.mask,
        "fold": fold,
        "case": case.code,
        "patient": case.patient,
        "tissue_type": case.tissue_type,
    }
