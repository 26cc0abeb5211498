"""The place of an export's pictures: on the exported slices of a case, on a given volume, or unknown.

The cut of a volume is proved by the exported slices' own description or by the corners in a task's data; otherwise a
person says it, or it is assumed and a finding says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from annotation_backend.labeling.exchange.export_file import ExportedTask
from annotation_backend.labeling.exchange.picture_corners import are_corners_of
from datasets.errors import RejectedInput
from datasets.pictures.picture_plane import PicturePlane

_UNNAMED_CASE = "volume"


class Cut(StrEnum):
    """Certainty about which pixel is which voxel."""

    PROVED = "proved"
    SAID = "said"
    ASSUMED = "assumed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Place:
    """Place of a task's pictures.

    Args:
        name: The volume they belong to.
        plane: How that volume was cut; None where it is unknown.
        first: Index of the task's first page.
        count: How many slices the volume has.
        geometry: ``case``, ``grid`` or ``unknown``.
        case: The case's code, where the task says it.
        cut: How sure that is.
        shown: Where the place is unknown: the case, empty without one, and the slice that the task says it shows.
    """

    name: str
    plane: PicturePlane | None
    first: int
    count: int
    geometry: str
    case: str | None = None
    cut: Cut = Cut.UNKNOWN
    shown: tuple[str, int] | None = None

    @property
    def slice(self) -> tuple[str, int] | None:
        """The case or volume and the slice that the task shows; None where it shows several or does not say."""
        is_one = self.plane is not None and not self.name.startswith("task-")
        return (self.name, self.first) if is_one else self.shown


@dataclass(frozen=True)
class Sources:
    """Known planes of pictures.

    Args:
        planes: The planes of exported cases, by code.
        grid: The plane of the one volume that all other tasks were cut from, or None.
        is_cut_said: Whether somebody said how that volume was cut.
    """

    planes: Mapping[str, PicturePlane] = field(default_factory=dict)
    grid: PicturePlane | None = None
    is_cut_said: bool = False

    def place_of(self, task: ExportedTask) -> Place:
        """Place of a task's pictures.

        Raises:
            RejectedInput: The volume has no such slice (``slice-index``), or not as many as the task has pages, or the
                task does not say which slice it shows (``export-slice``), or says other corners (``export-corners``).
        """
        code = task.case
        if code is not None and code in self.planes:
            if task.slice_index is None:
                raise _no_slice("The task does not say which slice it shows (data.slice), as Maskloop's tasks do.")
            return _placed(task, code, self.planes[code], "case", Cut.PROVED)
        if self.grid is None:
            shown = None if task.slice_index is None else (code or "", task.slice_index)
            return Place(f"task-{task.identifier}", None, 0, count=task.pages, geometry="unknown", shown=shown)
        cut = Cut.SAID if self.is_cut_said else Cut.ASSUMED
        if task.slice_index is not None:
            return _placed(task, code, self.grid, "grid", cut)
        if task.pages != self.grid.slice_count:
            raise _no_slice(
                "The task does not say which slice it shows (data.slice), and its pages are not the volume's slices: "
                f"expected {self.grid.slice_count}, got {task.pages}."
            )
        name = f"task-{task.identifier}"
        return Place(name, self.grid, 0, count=self.grid.slice_count, geometry="grid", cut=cut)


def _placed(task: ExportedTask, code: str | None, plane: PicturePlane, geometry: str, cut: Cut) -> Place:
    index = task.slice_index or 0
    plane.require_index(index)
    if task.corners is not None:
        if not are_corners_of(task.corners, plane, index):
            raise RejectedInput(
                "export-corners",
                f"The task's corners (data.corners) are not those of slice {index}: another place or another cut.",
                remedy="Give the volume that the pictures were cut from, and how (--view, --across, --down).",
            )
        cut = Cut.PROVED
    return Place(code or _UNNAMED_CASE, plane, index, count=plane.slice_count, geometry=geometry, case=code, cut=cut)


def _no_slice(message: str) -> RejectedInput:
    return RejectedInput(
        "export-slice",
        message,
        remedy="Give the volume that the pictures were cut from, or leave --grid out.",
    )
