"""MSTT-199's slice folders, as its published scripts read them.

    image_2_5d_isotropic_axial_stride-1/F01_T2/F01_T2_0042.png   slices 41, 42 and 43 as red, green and blue
    mask_isotropic_axial_png/F01_T2/F01_T2_0042.png              1 where slice 42 is tumour
    mask_isotropic_axial_tumor_pixel_count.csv                   flnames, tumor_pixels
    consensus_information.csv                                    PID, Modality, Multiple_Annotations

The same for coronal and sagittal. A patient is called by three characters there, the first of which is the tissue type;
the pictures of an image and of the mask are called by a modality, T1 or T2. The scripts find a T1 by writing T1 for T2
in a path, and so does everything here.

Pictures lie as `create_output_volume` of the publisher puts them together again: of a volume with i to the left, j to
the back and k upwards, axial ones are (i, j) by k, what is called coronal (j, k) by i, and sagittal (i, k) by j.

Source: MSTT-199 (Reasat et al. 2024) and its code (`formatSignal`, `create_output_volume`).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.files import flush_to_disk, write_bytes
from datasets.finding import Finding, Level
from datasets.image.orientation import as_ras
from datasets.image.volume import Grid, Volume
from datasets.pictures.png_encoding import encode_png
from datasets.progress import Progress
from datasets.release.exports.options import ExportOptions
from datasets.release.exports.prepared import PreparedExport
from datasets.release.exports.selection import Selection
from datasets.release.exports.source import SourceCase
from datasets.release.settings import ReleaseRole
from datasets.study.case import CaseVolumes
from datasets.study.image_kind import ImageKind
from datasets.study.protocol import Weighting
from datasets.study.training_slices import TrainingSliceSettings, isotropic_case
from datasets.study.triplets import triplet_indices

IMAGES, MASKS = "image_2_5d_isotropic_{}_stride-1", "mask_isotropic_{}_png"
COUNTS = "mask_isotropic_{}_tumor_pixel_count.csv"
DRAWN_TABLE = "consensus_information.csv"

VIEWS = {"axial": 2, "coronal": 0, "sagittal": 1}
"""The axis along which each view is numbered."""

_WRITERS = 4
"""Pictures on their way to the disk at once: each waits until it is safe, and a disk takes waiting files together."""

_LETTERS = {"fibrous": "F", "fat": "L", "myxoid": "M", "nerve": "N", "vascular": "V"}
_OTHER_TISSUE = "X"
_MOST_OF_A_LETTER = 99 + 26 * 10
_MODALITIES = {Weighting.T1: "T1", Weighting.T2: "T2"}

_LOADING = """To use it with MSTT-199's scripts, which look in a folder of this name:

    ln -s "$PWD" Radiomics_Research

The slices have 1 mm pixels and 8 bits: this is no layout to come back to the release's own voxels from.
export.json says which case a PID is."""


@dataclass(frozen=True)
class _Subject:
    """A case as MSTT-199 calls it: its three characters, and the modality that the mask is called by."""

    pid: str
    case: SourceCase
    drawn: str


def prepare(selection: Selection, _options: ExportOptions) -> PreparedExport:
    """Slice folders; arguments, result and errors as `datasets.release.exports.formats.ExportFormat` says.

    Raises:
        RejectedInput: Two images would have one name (``mstt-modalities``), or there are more cases of a tissue than
            three characters can name (``mstt-codes``).
    """
    modalities = _modalities(selection.roles)
    filled = [case for case in selection.cases if not case.is_empty]
    subjects = [_Subject(pid, case, _drawn(case, modalities)) for pid, case in zip(_pids(filled), filled, strict=True)]

    def write(part: Path, progress: Progress) -> tuple[()]:
        counts: dict[str, list[str]] = {view: [] for view in VIEWS}
        for done, subject in enumerate(subjects, start=1):
            for view, rows in _write_case(part, selection, subject, modalities).items():
                counts[view] += rows
            progress(done, len(subjects))
        for view, rows in counts.items():
            _write_table(part / COUNTS.format(view), "flnames,tumor_pixels", rows)
        rows = [f"{subject.pid},{subject.drawn},False" for subject in subjects]
        _write_table(part / DRAWN_TABLE, "PID,Modality,Multiple_Annotations", rows)
        for folder in sorted(path for path in part.rglob("*") if path.is_dir()):
            flush_to_disk(folder)
        return ()

    facts = {"pids": {subject.pid: subject.case.code for subject in subjects}, "modalities": modalities}
    return PreparedExport(write, _LOADING, facts, tuple(_findings(selection)))


def _modalities(roles: Sequence[ReleaseRole]) -> dict[str, str]:
    """What each role's pictures are called by."""
    found = {role.name: _modality(role) for role in roles}
    if len(set(found.values())) < len(found):
        raise RejectedInput(
            "mstt-modalities",
            f"Images of MSTT-199 are called by their modality, and two of the release's would have one name: "
            f"{', '.join(f'{role} is {name}' for role, name in found.items())}.",
            remedy="Name one image a modality with --images.",
        )
    return found


def _modality(role: ReleaseRole) -> str:
    kind = ImageKind.from_word(role.kind)
    return _MODALITIES.get(kind.weighting, kind.word.upper()) if kind.weighting else kind.word.upper()


def _drawn(case: SourceCase, modalities: dict[str, str]) -> str:
    """The modality of the drawn image; the first of all where that is not exported."""
    return modalities.get(case.drawn_role) or next(iter(modalities.values()))


def _pids(cases: Sequence[SourceCase]) -> list[str]:
    counts: Counter[str] = Counter()
    found = []
    for case in cases:
        letter = _LETTERS.get(case.tissue_type, _OTHER_TISSUE)
        counts[letter] += 1
        if counts[letter] > _MOST_OF_A_LETTER:
            raise RejectedInput(
                "mstt-codes",
                f"MSTT-199 calls a patient by three characters, which name {_MOST_OF_A_LETTER} cases of a tissue.",
                remedy="Export fewer cases.",
            )
        found.append(f"{letter}{two_characters(counts[letter])}")
    return found


def two_characters(number: int) -> str:
    """01 to 99, then A0 to Z9."""
    return f"{number:02d}" if number < 100 else f"{chr(ord('A') + (number - 100) // 10)}{(number - 100) % 10}"


def _write_case(
    part: Path, selection: Selection, subject: _Subject, modalities: dict[str, str]
) -> dict[str, list[str]]:
    """Writes a case's pictures; by view, the rows of the table of tumour pixels."""
    volumes = {role.name: selection.source.volume(subject.case, role.name) for role in selection.roles}
    machines = {role.name: role.modality.value for role in selection.roles}
    mask = selection.source.mask(subject.case)
    cubic = isotropic_case(CaseVolumes(volumes), mask, TrainingSliceSettings(), modalities=machines)
    found = {}
    for view, axis in VIEWS.items():
        for role, image in cubic.images.items():
            stack = _stacked(image, cubic.grid, axis)
            called = (subject.pid, modalities[role])
            _write_pictures(part / IMAGES.format(view), called, len(stack), partial(_colours, stack))
        masks = _stacked(cubic.tumour, cubic.grid, axis)
        drawn = (subject.pid, subject.drawn)
        names = _write_pictures(part / MASKS.format(view), drawn, len(masks), partial(_inside, masks))
        found[view] = [f"{name},{int(picture.sum())}" for name, picture in zip(names, masks, strict=True)]
    return found


def _stacked(data: NDArray[np.generic], grid: Grid, axis: int) -> NDArray[np.generic]:
    """Pictures (n, rows, columns) of a volume whose axes are turned to left, back and up; a view of its voxels."""
    turned = as_ras(Volume(data, grid)).data[::-1, ::-1]
    return np.moveaxis(turned, axis, 0)


def _colours(stack: NDArray[np.generic], number: int) -> NDArray[np.uint8]:
    """A slice (rows, columns, 3) with its neighbours."""
    [around] = triplet_indices([number], len(stack))
    return np.asarray(np.moveaxis(stack[around], 0, -1), dtype=np.uint8)


def _inside(masks: NDArray[np.generic], number: int) -> NDArray[np.uint8]:
    """1 where a slice is tumour."""
    return np.asarray(masks[number], dtype=np.uint8)


def _write_pictures(
    folder: Path, subject: tuple[str, str], count: int, picture_of: Callable[[int], NDArray[np.uint8]]
) -> list[str]:
    """Writes the pictures of a PID and modality, each made when it is its turn; their names."""
    called = "_".join(subject)
    names = [f"{called}_{number:04d}.png" for number in range(count)]

    def write(number: int) -> None:
        write_bytes(folder / called / names[number], encode_png(picture_of(number)), is_one_of_many=True)

    (folder / called).mkdir(parents=True, exist_ok=True)  # once, so that threads do not come to it together
    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(write, range(count)))
    return names


def _write_table(path: Path, head: str, rows: Sequence[str]) -> None:
    write_bytes(path, ("\n".join((head, *rows)) + "\n").encode())


def _findings(selection: Selection) -> Iterator[Finding]:
    for case in selection.cases:
        if case.is_empty:
            message = "The case is not exported: its mask is empty, and MSTT-199 knows no patient without a tumour."
            yield Finding(Level.WARNING, "export-case-left-out", message, "Nothing, if meant.", subject=case.code)
    several = sum(1 for count in Counter(case.patient for case in selection.cases).values() if count > 1)
    if several:
        message = f"{several} patient(s) have several cases, which MSTT-199's scripts take for as many patients."
        yield Finding(Level.WARNING, "mstt-patients", message, "Make folds by the patients that export.json names.")
    if len(selection.source.labels) > 1:
        message = "A mask of MSTT-199 has one label: the tumour's alone, or all together where none is called Tumour."
        yield Finding(Level.WARNING, "mstt-labels", message, "Take another format for all labels.")
