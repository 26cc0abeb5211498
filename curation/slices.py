"""Slices: the 8-bit pictures that annotators draw on, and the file that says how to come back to their voxels.

A folder of exported slices holds one PNG per role and index and one `slices.json`. The same volumes give the same
bytes. File names carry the case's code, the role and the index, nothing of the patient.
"""

import io
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.case import CaseVolumes, SeriesRole, TissueType
from datasets.digest import content_sha256
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, write_bytes, write_json
from datasets.intensity import percentile_window, to_uint8
from datasets.picture_plane import PicturePlane
from datasets.volume import Volume

SLICES_FILE = "slices.json"
SLICES_FORMAT = "maskloop-slices-1"

MSTT_PERCENTILES = (0.5, 99.5)
"""Window of MSTT-199's code, over all voxels of the volume (its paper prints 0.05 and 99.95)."""

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class SliceSubject:
    """What is known of the case that the slices show; goes with every slice.

    Args:
        case_code: Maskloop's own name of the case: letters, digits, dash and underscore, at most 64.
        tissue_type: Tissue of origin.
        site: Anatomical site, or empty.
        stage: Step of the annotation protocol that the slices are exported for, or empty.

    Raises:
        RejectedInput: The code could not be part of a file name.
    """

    case_code: str
    tissue_type: TissueType = TissueType.UNKNOWN
    site: str = ""
    stage: str = ""

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.case_code):
            raise RejectedInput(
                "case-code",
                "Expected a case code of up to 64 letters, digits, dashes and underscores.",
                remedy="Give the case a code that can be part of a file name.",
            )

    def as_dict(self) -> dict[str, str]:
        """Plain values for JSON."""
        return {key: str(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class ExportedSlice:
    """One picture in an export's folder.

    Args:
        role: The sequence it shows.
        index: Voxel index along the plane's slice axis.
        file_name: Its name in the folder.
        sha256: Digest of the file.
        width: Pixels across.
        height: Pixels down.
    """

    role: SeriesRole
    index: int
    file_name: str
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class SliceExport:
    """Everything that is needed to put a drawing on an exported picture back to its voxels.

    Args:
        subject: The case.
        plane: How the grid was cut, with the grid.
        percentiles: Percentiles in percent that set the windows.
        windows: Intensities that became 0 and 255, by role.
        volumes: `content_sha256` of the volume behind each role.
        slices: The pictures, by role and index.
    """

    subject: SliceSubject
    plane: PicturePlane
    percentiles: tuple[float, float]
    windows: Mapping[SeriesRole, tuple[float, float]]
    volumes: Mapping[SeriesRole, str]
    slices: tuple[ExportedSlice, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "format": SLICES_FORMAT,
            "subject": self.subject.as_dict(),
            "plane": self.plane.as_dict(),
            "percentiles": list(self.percentiles),
            "windows": {role.value: list(window) for role, window in self.windows.items()},
            "volumes": {role.value: digest for role, digest in self.volumes.items()},
            "slices": [asdict(one) | {"role": one.role.value} for one in self.slices],
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
                percentiles=_pair(values["percentiles"]),
                windows={SeriesRole(role): _pair(window) for role, window in values["windows"].items()},
                volumes={SeriesRole(role): str(digest) for role, digest in values["volumes"].items()},
                slices=tuple(ExportedSlice(**(one | {"role": SeriesRole(one["role"])})) for one in values["slices"]),
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
    percentiles: tuple[float, float] = MSTT_PERCENTILES,
) -> tuple[ExportedSlice, ...]:
    """Writes T1 and T2 slices as 8-bit grey PNGs, and `slices.json` once all of them are there.

    Args:
        case_volumes: The case's images on one grid.
        plane: How to cut that grid.
        folder: Where to write; made if it is not there.
        subject: The case's code and what is known of it.
        indices: Voxel indices along the slice axis; None for all.
        percentiles: Lower and upper percentile over all voxels of a volume that become 0 and 255.

    Returns:
        The pictures, T1 before T2, by rising index.

    Raises:
        GeometryError: The plane is of another grid than the volumes.
        RejectedInput: There is no such slice.
    """
    plane.grid.require_match(case_volumes.t2.grid, what="Picture plane and case")
    chosen = plane.indices(indices)
    volumes = {SeriesRole.T1: case_volumes.t1, SeriesRole.T2: case_volumes.t2}
    windows = {
        role: percentile_window(volume.data, low=percentiles[0], high=percentiles[1])
        for role, volume in volumes.items()
    }
    (folder / SLICES_FILE).unlink(missing_ok=True)
    pictures = _pictures(volumes, plane, windows=windows, indices=chosen)
    slices = tuple(
        _write_slice(folder, subject, picture=picture, role=role, index=index) for role, index, picture in pictures
    )
    digests = {role: content_sha256(volume) for role, volume in volumes.items()}
    export = SliceExport(subject, plane, percentiles, windows=windows, volumes=digests, slices=slices)
    write_json(folder / SLICES_FILE, export.as_dict())
    return slices


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


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """PNG bytes of a (height, width) grey or (height, width, 3) colour picture, without time or text."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def _pictures(
    volumes: Mapping[SeriesRole, Volume],
    plane: PicturePlane,
    *,
    windows: Mapping[SeriesRole, tuple[float, float]],
    indices: tuple[int, ...],
) -> Iterator[tuple[SeriesRole, int, NDArray[np.uint8]]]:
    for role, volume in volumes.items():
        for index in indices:
            yield role, index, to_uint8(plane.to_picture(volume.data, index), window=windows[role])


def _write_slice(
    folder: Path, subject: SliceSubject, *, picture: NDArray[np.uint8], role: SeriesRole, index: int
) -> ExportedSlice:
    content = encode_png(picture)
    name = f"{subject.case_code}_{role}_{index:04d}.png"
    write_bytes(folder / name, content)
    height, width = picture.shape
    return ExportedSlice(role, index, name, sha256=sha256_of_bytes(content), width=width, height=height)


def _subject_from(values: Mapping[str, Any]) -> SliceSubject:
    return SliceSubject(**{**values, "tissue_type": TissueType(values["tissue_type"])})


def _pair(values: Any) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)


def _not_a_description(error: Exception) -> RejectedInput:
    return RejectedInput(
        "slices-description",
        f"Expected a whole {SLICES_FILE} of format {SLICES_FORMAT}, got another ({type(error).__name__}).",
        remedy="Export the case's slices again.",
    )
