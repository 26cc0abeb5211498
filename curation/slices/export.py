"""Slices: the 8-bit pictures that annotators draw on, and the file that says how to come back to their voxels.

A folder of exported slices holds one PNG per role, index and window preset, and one `slices.json`. The same volumes
give the same bytes. File names carry the case's code, the role, the index and, but for the preset that annotators draw
on, the preset's name (`C0001_t1_0007.png`, `C0001_t1_0007_bright.png`); nothing of the patient.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.files import flush_to_disk, sha256_of_bytes, write_bytes, write_json
from datasets.image.digest import content_sha256
from datasets.image.intensity import WINDOW_PRESETS, Preset, Window, preset_from, to_uint8, windows_of
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.pictures.png_encoding import encode_png
from datasets.study.case import CaseVolumes
from datasets.study.protocol import UNKNOWN_TISSUE

SLICES_FILE = "slices.json"
SLICES_FORMAT = "maskloop-slices-2"

WRITERS = 4
"""Pictures on their way to the disk at once: each waits until it is safe, and a disk takes waiting files together."""

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class SliceSubject:
    """Code, tissue type and site of the case that the slices show; stored with every slice.

    Args:
        case_code: Maskloop's own name of the case: letters, digits, dash and underscore, at most 64.
        tissue_type: Tissue of origin.
        site: Anatomical site, or empty.
        stage: Step of the annotation protocol that the slices are exported for, or empty.

    Raises:
        RejectedInput: The code could not be part of a file name.
    """

    case_code: str
    tissue_type: str = UNKNOWN_TISSUE
    site: str = ""
    stage: str = ""

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.case_code):
            raise RejectedInput(
                "case-code",
                "The case code is not 1 to 64 letters, digits, dashes and underscores.",
                remedy="Give the case a code that can be part of a file name.",
            )

    def as_dict(self) -> dict[str, str]:
        """Plain values for JSON."""
        return {key: str(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class ExportedSlice:
    """One picture in an export's folder.

    Args:
        role: The image it shows.
        index: Voxel index along the plane's slice axis.
        preset: Name of the window preset that it is shown in.
        file_name: Its name in the folder.
        sha256: Digest of the file.
        width: Pixels across.
        height: Pixels down.
    """

    role: str
    index: int
    preset: str
    file_name: str
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class SliceExport:
    """An export's plane, windows and pictures, by which a drawing on a picture is put back to its voxels.

    Args:
        subject: The case.
        plane: How the grid was cut, with the grid.
        presets: The windows of each role; the first is the one that annotators draw on.
        windows: Intensities that became 0 and 255, by role and name of the preset.
        volumes: `content_sha256` of the volume behind each role.
        slices: The pictures, by role, index and preset.
    """

    subject: SliceSubject
    plane: PicturePlane
    presets: Mapping[str, tuple[Preset, ...]]
    windows: Mapping[str, Mapping[str, Window]]
    volumes: Mapping[str, str]
    slices: tuple[ExportedSlice, ...]

    @property
    def for_drawing(self) -> tuple[ExportedSlice, ...]:
        """The pictures that annotators draw on: those of a role's first preset, role by role, by rising index."""
        return tuple(one for one in self.slices if one.preset == self.presets[one.role][0].name)

    @property
    def in_other_windows(self) -> tuple[ExportedSlice, ...]:
        """The other pictures, of the same slices."""
        return tuple(one for one in self.slices if one.preset != self.presets[one.role][0].name)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "format": SLICES_FORMAT,
            "subject": self.subject.as_dict(),
            "plane": self.plane.as_dict(),
            "presets": _described(self.presets),
            "windows": {
                role: {name: list(window) for name, window in windows.items()} for role, windows in self.windows.items()
            },
            "volumes": dict(self.volumes),
            "slices": [asdict(one) for one in self.slices],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SliceExport":
        """The export that `as_dict` described.

        Raises:
            RejectedInput: The values are of another format or incomplete.
        """
        try:
            if values["format"] != SLICES_FORMAT:
                raise ValueError(values["format"])
            return cls(
                subject=_subject_from(values["subject"]),
                plane=PicturePlane.from_dict(values["plane"]),
                presets=_presets_from(values["presets"], list(values["volumes"])),
                windows={
                    role: {name: _pair(window) for name, window in windows.items()}
                    for role, windows in values["windows"].items()
                },
                volumes={role: str(digest) for role, digest in values["volumes"].items()},
                slices=tuple(ExportedSlice(**one) for one in values["slices"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _not_a_description(error) from error


def export_slices(
    case_volumes: CaseVolumes,
    plane: PicturePlane,
    folder: Path,
    *,
    subject: SliceSubject,
    indices: Collection[int] | None = None,
    presets: Mapping[str, Sequence[Preset]] | None = None,
) -> SliceExport:
    """Writes the slices of every image as 8-bit grey PNGs, and `slices.json` once all of them are there.

    Args:
        case_volumes: The case's images on one grid.
        plane: How to cut that grid.
        folder: Where to write; made if it is not there.
        subject: Code, tissue type and site of the case.
        indices: Voxel indices along the slice axis; None for all.
        presets: How to window the slices of a role, at least one; the first is for drawing. Those of MR where a role
            is not named.

    Returns:
        The export, with pictures role by role, by rising index, then by preset.

    Raises:
        GeometryError: The plane is of another grid than the volumes.
        RejectedInput: There is no such slice (``slice-index``), or no preset or two of one name (``window-preset``).
    """
    plane.grid.require_match(case_volumes.grid, what="Picture plane and case")
    chosen, volumes = plane.indices(indices), case_volumes.images
    of_role = {role: tuple((presets or {}).get(role, WINDOW_PRESETS)) for role in volumes}
    for given in of_role.values():
        _require_own_names(given)
    windows = {role: _windows(volume, of_role[role]) for role, volume in volumes.items()}
    (folder / SLICES_FILE).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(role, index, preset) for role in volumes for index in chosen for preset in of_role[role]]

    def write(job: tuple[str, int, Preset]) -> ExportedSlice:
        role, index, preset = job
        picture = to_uint8(plane.to_picture(volumes[role].data, index), window=windows[role][preset.name])
        drawing = f"{subject.case_code}_{role}_{index:04d}.png"
        name = drawing if preset is of_role[role][0] else name_in_window(drawing, preset.name)
        return _write_picture(folder / name, picture, role=role, index=index, preset=preset.name)

    with ThreadPoolExecutor(WRITERS) as pool:
        slices = tuple(pool.map(write, jobs))
    flush_to_disk(folder)
    digests = {role: content_sha256(volume) for role, volume in volumes.items()}
    export = SliceExport(subject, plane, of_role, windows=windows, volumes=digests, slices=slices)
    write_json(folder / SLICES_FILE, export.as_dict())
    return export


def name_in_window(drawing: str, preset: str) -> str:
    """Name of the picture that shows a slice in another window, from the name of the one that annotators draw on."""
    stem, _, ending = drawing.rpartition(".")
    return f"{stem}_{preset}.{ending}"


def read_slices(folder: Path) -> SliceExport:
    """Reads the description of an exported folder.

    Raises:
        RejectedInput: There is none, it is not whole, or it is of another format.
    """
    try:
        values = json.loads((folder / SLICES_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise _not_a_description(error) from error
    return SliceExport.from_dict(values)


def _require_own_names(presets: Sequence[Preset]) -> None:
    if not presets or len({preset.name for preset in presets}) < len(presets):
        raise RejectedInput(
            "window-preset",
            f"Expected at least one window preset, each with a name of its own, got {len(presets)}.",
            remedy="Give each window preset another name.",
        )


def _described(presets: Mapping[str, tuple[Preset, ...]]) -> list[dict[str, Any]] | dict[str, Any]:
    """The windows as plain values: one list where all roles have the same."""
    lists = {role: [asdict(preset) for preset in of_role] for role, of_role in presets.items()}
    first = next(iter(presets.values()))
    is_one = all(of_role == first for of_role in presets.values())
    return next(iter(lists.values())) if is_one else lists


def _presets_from(values: Any, roles: Sequence[str]) -> dict[str, tuple[Preset, ...]]:
    if isinstance(values, list):
        return dict.fromkeys(roles, tuple(preset_from(one) for one in values))
    return {role: tuple(preset_from(one) for one in of_role) for role, of_role in values.items()}


def _windows(volume: Volume, presets: Sequence[Preset]) -> dict[str, Window]:
    """Intensities that become black and white, by name of the preset."""
    windows = windows_of(volume.data, presets)
    return {preset.name: window for preset, window in zip(presets, windows, strict=True)}


def _write_picture(path: Path, picture: NDArray[np.uint8], *, role: str, index: int, preset: str) -> ExportedSlice:
    content = encode_png(picture)
    write_bytes(path, content, is_one_of_many=True)
    height, width = picture.shape
    digest = sha256_of_bytes(content)
    return ExportedSlice(role, index, preset, file_name=path.name, sha256=digest, width=width, height=height)


def _subject_from(values: Mapping[str, Any]) -> SliceSubject:
    return SliceSubject(**{key: str(value) for key, value in values.items()})


def _pair(values: Any) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)


def _not_a_description(error: Exception) -> RejectedInput:
    return RejectedInput(
        "slices-description",
        f"{SLICES_FILE} is damaged or not of format {SLICES_FORMAT} ({type(error).__name__}).",
        remedy="Export the case's slices again.",
    )
