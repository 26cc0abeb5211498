"""A Label Studio export to NIfTI: one label map a case or task, a JSON beside each, and one for the whole folder."""

import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from annotation_backend.labeling.exchange.export_doubts import doubts_of_export, doubts_of_volume
from annotation_backend.labeling.exchange.export_file import exported_tasks
from annotation_backend.labeling.exchange.export_masks import (
    MOST_LABELS,
    DrawnVolume,
    ExportedMasks,
    mask_of_volume,
    require_few_labels,
    sidecar_of,
)
from annotation_backend.labeling.exchange.export_places import Sources
from curation.slices.export import SLICES_FILE, WRITERS, read_slices
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_file, write_bytes, write_json
from datasets.finding import Finding, Level
from datasets.formats.nifti import encode, read_grid
from datasets.part_folder import part_folder, place_part
from datasets.pictures.picture_plane import AnatomicalPlane, PicturePlane
from datasets.pictures.picture_turn import RADIOLOGICAL, turned
from datasets.study.protocol import Protocol

EXPORT_FILE = "export.json"
EXPORT_FORMAT = "maskloop-export-1"


@dataclass
class ConvertedExport:
    """Result of converting an export.

    Args:
        tasks: Tasks in it.
        volumes: Of each volume its name, geometry, annotated slices and voxels by label.
        findings: Assumptions, and what was left out.
    """

    tasks: int = 0
    volumes: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def sources_of(
    slices: Sequence[Path],
    grid: Path | None,
    *,
    cut: AnatomicalPlane = AnatomicalPlane.AXIAL,
    across: str | None = None,
    down: str | None = None,
) -> Sources:
    """Known planes of pictures, from exported slices at or below folders, and from a volume.

    Args:
        slices: Folders with exported slices at or below them.
        grid: The volume that all other pictures were cut from.
        cut: The plane in which it was cut.
        across: The direction of its pictures' rows, where somebody says it; see `datasets.pictures.picture_turn`.
        down: The direction of their columns.

    Raises:
        RejectedInput: A folder without exported slices (``slices-description``), a volume that cannot be read, or
            directions that are none of such slices (``picture-directions``) or of no volume (``grid-missing``).
    """
    if grid is None and (across or down):
        raise RejectedInput(
            "grid-missing", "A cut is given without the volume that was cut.", remedy="Give the volume (--grid)."
        )
    planes: dict[str, PicturePlane] = {}
    for folder in slices:
        found = sorted(folder.rglob(SLICES_FILE))
        for export in map(read_slices, [path.parent for path in found] or [folder]):
            known = planes.setdefault(export.subject.case_code, export.plane)
            known.grid.require_match(export.plane.grid, what="Two exports of one case's slices")
    if grid is None:
        return Sources(planes)
    default_across, default_down = RADIOLOGICAL[cut]
    plane = PicturePlane.of(read_grid(grid), anatomical=cut)
    is_said = across is not None or down is not None
    if is_said:
        plane = turned(plane, across=across or default_across, down=down or default_down)
    return Sources(planes, plane, is_cut_said=is_said)


def export_to_nifti(
    file: Path,
    out: Path | None,
    *,
    sources: Sources,
    each_annotator: bool = False,
    labels: Sequence[str] = (),
    protocol: Protocol | None = None,
    overwrite: bool = False,
) -> ConvertedExport:
    """Converts an export; of several annotations of a task the newest that was not cancelled counts.

    Args:
        file: JSON or JSON-MIN.
        out: Folder to be made, whole or not at all; None for a dry run.
        sources: Where pictures lie.
        each_annotator: One volume an annotator instead.
        labels: Those to keep, the first with value 1; otherwise all, tumour and oedema first.
        protocol: Whose labels to keep instead, with its values.
        overwrite: Replace a folder that such a conversion made.

    Raises:
        RejectedInput: The file is no export, there is nothing in it, or the folder is in use.
    """
    if out is not None:
        _require_free(out, overwrite=overwrite)
    report, masks = ConvertedExport(), ExportedMasks()
    for task in exported_tasks(file):
        report.tasks += 1
        if isinstance(task, RejectedInput):
            report.findings.append(Finding(Level.ERROR, task.code, task.message, task.remedy))
        else:
            masks.add(task, sources=sources, each_annotator=each_annotator)
    _require_one_case(masks)
    report.findings += [*masks.findings, *doubts_of_export(masks, labels, protocol)]
    kept = _values(list(labels) or masks.labels) if protocol is None else protocol.label_names
    with nullcontext() if out is None else part_folder(out.parent) as part:
        keys = sorted(masks.volumes, key=str)
        with ThreadPoolExecutor(WRITERS) as pool:
            for volume, findings in pool.map(lambda key: _convert(masks.volumes.pop(key), kept, part), keys):
                report.volumes += volume
                report.findings += findings
        if out is not None and part is not None:
            write_json(part / EXPORT_FILE, _description(file, kept, report))
            _replace(part, out)
    return report


def _values(labels: Sequence[str]) -> dict[int, str]:
    require_few_labels(labels)
    return dict(enumerate(labels, start=1))


def _convert(
    volume: DrawnVolume, labels: Mapping[int, str], part: Path | None
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Writes one volume and its JSON; returns its line of the report, and findings about it."""
    try:
        mask, overlap = mask_of_volume(volume, labels)
    except RejectedInput as error:
        return [], [Finding(Level.ERROR, error.code, error.message, error.remedy, volume.name)]
    if part is not None:
        content = encode(mask.data, mask.grid.affine)
        write_bytes(part / f"{volume.name}.nii.gz", content, is_one_of_many=True)
        beside = canonical_json(sidecar_of(volume, mask))
        write_bytes(part / f"{volume.name}.json", beside, is_one_of_many=True)
    counts = np.bincount(mask.data.ravel(), minlength=MOST_LABELS + 1)
    line = {
        "name": volume.name,
        "geometry": volume.place.geometry,
        "slices": len(volume.pages),
        "voxels": {label: int(counts[value]) for value, label in labels.items() if counts[value]},
    }
    return [line], list(doubts_of_volume(volume, overlap))


def _require_one_case(masks: ExportedMasks) -> None:
    names = {volume.place.name for volume in masks.volumes.values() if volume.place.geometry == "grid"}
    cases = {name for name in names if not name.startswith("task-")}
    if len(cases) > 1:
        raise RejectedInput(
            "export-cases",
            f"Slices of {len(cases)} cases lie on the one volume that is given.",
            remedy="Export one case at a time, or give the folders of exported slices (--slices).",
        )


def _description(file: Path, labels: Mapping[int, str], report: ConvertedExport) -> dict[str, Any]:
    try:
        software = version("maskloop")
    except PackageNotFoundError:
        software = "not installed"
    return {
        "format": EXPORT_FORMAT,
        "software": {"maskloop": software},
        "source_sha256": sha256_of_file(file),
        "labels": {str(value): label for value, label in labels.items()},
        "tasks": report.tasks,
        "volumes": report.volumes,
        "findings": [finding.as_dict() for finding in report.findings],
    }


def _require_free(out: Path, *, overwrite: bool) -> None:
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return
    if overwrite and (out / EXPORT_FILE).is_file():
        return
    raise RejectedInput(
        "out-exists",
        "There is something of this name already.",
        remedy="Name another, or --overwrite one that a conversion made.",
    )


def _replace(part: Path, out: Path) -> None:
    """Moves the whole folder to its place; one that was there is removed only then."""
    old = part.with_name(f"{part.name}-old")
    if os.path.lexists(out):
        out.rename(old)
    try:
        place_part(part, out)
    except OSError:
        if old.exists() and part.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)
