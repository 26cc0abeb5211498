"""From the saves of an export to the label maps of its cases and tasks, each with its sources.

A picture lies on its case's grid where the case's exported slices (`slices.json`) or a volume say so. Elsewhere a task
becomes a volume of its own, one page a slice, whose place and pixel size are unknown.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from annotation_backend.labeling.exchange.export_file import ExportedSave, ExportedTask
from annotation_backend.labeling.exchange.export_places import Cut, Place, Sources
from annotation_backend.labeling.exchange.export_rows import is_name
from annotation_backend.labeling.masks.controls import HINT, SMART_BOX, SMART_POINT
from annotation_backend.labeling.masks.regions import MASK_TYPES, Region, drawn_masks
from curation.slices.assembly import assemble_labels
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.image.mask import Inside, Mask
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.shipped_protocols import FIRST, shipped_protocol

MOST_LABELS = 255
LARGEST_PICTURE = 1 << 26
"""Pixels of a picture of unknown origin: 8192 x 8192."""

LARGEST_VOLUME = 1 << 30
"""Voxels of a volume of unknown origin: 512 x 512 x 4096."""

MASK_FORMAT = "maskloop-mask-1"

_PROMPT_TYPES = ("keypointlabels", "rectanglelabels")
_PROMPT_CONTROLS = (SMART_POINT, SMART_BOX, "extreme_point", "session")
"""The controls whose points and boxes ask a model, in this and in earlier interfaces; others' are masks."""

_CUT_REMEDY = "Give the volume that the pictures were cut from, and how they were cut (--view, --across, --down)."

Packed = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DrawnPage:
    """One picture of a save: its labels' pixels, packed, its task and save; no shape if nothing says it."""

    shape: tuple[int, int] | None
    pixels: Mapping[str, Packed]
    task: int
    save: ExportedSave

    @property
    def is_drawn(self) -> bool:
        """Whether any pixel is inside."""
        return any(packed.any() for packed in self.pixels.values())

    def unpacked(self, label: str) -> NDArray[np.bool_]:
        """Boolean (height, width) of one label."""
        height, width = self.shape or (0, 0)
        return np.unpackbits(self.pixels[label], count=height * width).view(np.bool_).reshape(height, width)

    def of_labels(self, labels: Iterable[str]) -> dict[str, Inside]:
        """Boolean (height, width) of those of these labels that it has."""
        return {label: self.unpacked(label) for label in labels if label in self.pixels}


@dataclass
class DrawnVolume:
    """The pages of one volume by one annotator or of the newest saves, by slice index."""

    place: Place
    annotator: int | None
    pages: dict[int, DrawnPage] = field(default_factory=dict)
    shape: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The file's name without suffix."""
        return self.place.name if self.annotator is None else f"{self.place.name}_by-{self.annotator}"

    def keep(self, index: int, page: DrawnPage) -> None:
        """Keeps a page, unless a newer save of it is there.

        Raises:
            RejectedInput: It is of another size than the others (``export-pages``).
        """
        if page.shape is not None and self.shape not in (None, page.shape):
            raise RejectedInput("export-pages", "The task's pages differ in size.", remedy="Split the task.")
        self.shape = self.shape or page.shape
        other = self.pages.get(index)
        if other is None or page.save.moment >= other.save.moment:
            self.pages[index] = page


@dataclass
class ExportedMasks:
    """All masks of an export, page by page, and counts of what was left out."""

    volumes: dict[tuple[str, int | None], DrawnVolume] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    drafts: dict[Place, int] = field(default_factory=dict)
    unsaved: set[tuple[str, int]] = field(default_factory=set)
    blank: int = 0
    sizeless: int = 0
    _known: set[int] = field(default_factory=set)

    @property
    def labels(self) -> list[str]:
        """Labels that occur: those of the first protocol in its order, then by name."""
        found = {label for volume in self.volumes.values() for page in volume.pages.values() for label in page.pixels}
        first = [label for label in shipped_protocol(FIRST).label_names.values() if label in found]
        return first + sorted(found - set(first))

    def add(self, task: ExportedTask, *, sources: Sources, each_annotator: bool) -> None:
        """Decodes the saves of a task that count; one that cannot be read becomes a finding."""
        try:
            self._doubt_number(task)
            place = sources.place_of(task)
            if task.drafts:
                self.drafts[place] = self.drafts.get(place, 0) + task.drafts
            if not task.saves and place.slice is not None:
                self.unsaved.add(place.slice)
            if each_annotator and not task.tells_people_apart:
                raise _nobodys_number()
            counting = task.newest_of_each if each_annotator else task.newest
            self._doubt_order(task.identifier, task.saves, counting)
            for save in counting:
                self._add_save(task, save, place, annotator=(save.annotator or 0) if each_annotator else None)
        except RejectedInput as error:
            self._tell(error, task)

    def _add_save(self, task: ExportedTask, save: ExportedSave, place: Place, *, annotator: int | None) -> None:
        drawn = dict(self._drawn_pages(task, save, place))
        known = self.volumes.setdefault((place.name, annotator), DrawnVolume(place, annotator))
        if place.cut is Cut.ASSUMED:
            known.place = replace(known.place, cut=place.cut)
        for index, page in drawn.items():
            self._doubt_twice(known, index, page)
            known.keep(index, page)

    def _drawn_pages(self, task: ExportedTask, save: ExportedSave, place: Place) -> Iterator[tuple[int, DrawnPage]]:
        """The decoded pages of a save by slice index; where nothing says how large an empty page is, it is left out."""
        pages = _by_page(save.regions)
        self.passed_over.update(_other_types(save.regions))
        self._doubt_pictures(task, save)
        if place.plane is None:
            pages = {page: found for page, found in pages.items() if any(map(_is_mask, found))} or {0: []}
        for page, regions in pages.items():
            if page >= task.pages:
                raise _no_page(page, task.pages)
            shape = _shape_of(regions, task, place)
            pixels = {} if shape is None else self._decoded(regions, shape, task, place)
            yield place.first + page, DrawnPage(shape, pixels, task.identifier, save)

    def _decoded(
        self, regions: Sequence[Region], shape: tuple[int, int], task: ExportedTask, place: Place
    ) -> dict[str, Packed]:
        drawn = drawn_masks(regions, height=shape[0], width=shape[1], labels=None, picture=None)
        self.blank += drawn.blank
        self.sizeless += sum(map(_says_no_size, regions))
        for refusal in drawn.refusals:
            self._tell(refusal, task, _CUT_REMEDY if place.geometry == "grid" else None)
        sound = {label: pixels for label, pixels in drawn.pixels.items() if is_name(label)}
        if len(sound) < len(drawn.pixels):
            self._tell(_no_name(), task)
        require_few_labels(sound)
        return {label: np.packbits(pixels) for label, pixels in sound.items()}

    def _tell(self, error: RejectedInput, task: ExportedTask, remedy: str | None = None) -> None:
        remedy = remedy if remedy and error.code == "region-size" else error.remedy
        self.findings.append(Finding(Level.ERROR, error.code, error.message, remedy, f"task {task.identifier}"))

    def _doubt_order(self, task: int, saves: Sequence[ExportedSave], counting: Sequence[ExportedSave]) -> None:
        """Warns if the newest save of a task is a guess, because the saves have no dates or the same one."""
        if (len(saves) > 1 and not all(save.is_dated for save in saves)) or _are_several_newest(saves, counting):
            text = "Some saves have no date, or the same one; the save with the highest number, among those with the "
            text += "latest date if there is any, counts as the newest."
            remedy = "Export again as JSON, which has the moments, or delete the saves that do not count."
            self.findings.append(Finding(Level.WARNING, "save-order", text, remedy, f"task {task}"))

    def _doubt_number(self, task: ExportedTask) -> None:
        """Warns of two tasks with the same number, as in exports of two projects in one file."""
        if task.identifier in self._known and not task.is_row:
            text = "Two tasks have this number; where they show the same picture or slice, the newer save counts."
            remedy = "Convert the exports of several projects one by one, and leave out what is there twice."
            self.findings.append(Finding(Level.WARNING, "task-twice", text, remedy, f"task {task.identifier}"))
        self._known.add(task.identifier)

    def _doubt_pictures(self, task: ExportedTask, save: ExportedSave) -> None:
        """Masks on several pictures of a task are joined, as if all were one."""
        pictures = {str(region["to_name"]) for region in save.regions if _is_mask(region) and "to_name" in region}
        if len(pictures) > 1:
            text = f"The task has masks on {len(pictures)} pictures; they were joined."
            remedy = "Nothing, if the pictures show the same place; else export the masks of one picture only."
            self.findings.append(Finding(Level.WARNING, "pictures-joined", text, remedy, f"task {task.identifier}"))

    def _doubt_twice(self, volume: DrawnVolume, index: int, page: DrawnPage) -> None:
        """Warns of duplicate tasks: of two that show the same slice, the newer save counts."""
        other = volume.pages.get(index)
        if other is None:
            return
        if other.task == page.task:
            saves = (other.save, page.save)
            self._doubt_order(page.task, saves, saves[other.save.moment <= page.save.moment :][:1])
            return
        text = f"Tasks {other.task} and {page.task} show the same slice; the newer save counts."
        remedy = "Delete one of the tasks, or export them apart."
        self.findings.append(Finding(Level.WARNING, "slice-twice", text, remedy, volume.name))


def require_few_labels(labels: Collection[str]) -> None:
    """Refuses more labels than a label map has values for (``export-labels``)."""
    if len(labels) > MOST_LABELS:
        raise RejectedInput(
            "export-labels",
            f"Expected at most {MOST_LABELS} labels in one label map, got {len(labels)}.",
            remedy="Name those that you want (--labels).",
        )


def mask_of_volume(volume: DrawnVolume, labels: Mapping[int, str]) -> tuple[Mask, int]:
    """The label map of a volume and the number of voxels where labels overlap: there the first of `labels` counts.

    Raises:
        RejectedInput: The volume would be larger than `LARGEST_VOLUME` voxels (``export-volume``), or nothing says how
            large its pictures are (``export-size``).
    """
    plane = volume.place.plane or _unknown_plane(volume)
    slices = ((index, page.of_labels(labels.values())) for index, page in volume.pages.items())
    assembled = assemble_labels(slices, plane, labels=labels)
    return assembled.mask, assembled.overlap


def sidecar_of(volume: DrawnVolume, mask: Mask) -> dict[str, Any]:
    """The meaning of the label map's values, its geometry and its sources, as plain values for JSON."""
    plane = volume.place.plane or PicturePlane.of(mask.grid)
    return {
        "format": MASK_FORMAT,
        "labels": {str(value): label for value, label in mask.labels.items()},
        "geometry": volume.place.geometry,
        "cut": volume.place.cut.value,
        "plane": plane.as_dict(),
        "case": volume.place.case,
        "slices": [
            {"index": index, "task": page.task, "annotation": page.save.identifier, "annotator": page.save.annotator}
            for index, page in sorted(volume.pages.items())
        ],
    }


def _unknown_plane(volume: DrawnVolume) -> PicturePlane:
    """Pixels of 1 mm, upright in a viewer: across is the patient's left, down is posterior, as far as anyone knows."""
    if volume.shape is None:
        raise _no_size()
    height, width = volume.shape
    count = volume.place.count
    if height * width * count > LARGEST_VOLUME:
        raise RejectedInput(
            "export-volume",
            f"Expected pages that make at most {LARGEST_VOLUME} voxels, got {width} x {height} x {count}.",
            remedy="Split the task.",
        )
    return PicturePlane.of(Grid((width, height, count), np.diag([-1.0, -1.0, 1.0, 1.0])))


def _by_page(regions: Sequence[Region]) -> dict[int, list[Region]]:
    """The regions of each page, without their page; a save without any still says that its first page is empty."""
    pages: dict[int, list[Region]] = {0: []}
    for region in regions:
        page = region.get("item_index") if isinstance(region, Mapping) else None
        if isinstance(page, int) and not isinstance(page, bool) and page > 0:
            pages.setdefault(page, []).append({**region, "item_index": 0})
        else:
            pages[0].append(region)
    return pages if pages[0] or len(pages) == 1 else {page: found for page, found in pages.items() if page}


def _shape_of(regions: Sequence[Region], task: ExportedTask, place: Place) -> tuple[int, int] | None:
    """Height and width of the picture: the plane's, or those that a mask says; None where there is no mask.

    An emptied save says nothing of the size, but an earlier one of the task may.

    Raises:
        RejectedInput: The mask says something that no picture has (``export-size``).
    """
    if place.plane is not None:
        return place.plane.shape
    earlier = (region for save in task.saves for region in save.regions)
    region = next(filter(_is_mask, regions), None) or next(filter(_is_mask, earlier), None)
    if region is None:
        return None
    height, width = region.get("original_height"), region.get("original_width")
    if _is_side(height) and _is_side(width) and height * width <= LARGEST_PICTURE:
        return height, width
    raise _no_size()


def _no_size() -> RejectedInput:
    return RejectedInput(
        "export-size",
        f"No mask says how large its picture is, or says more than {LARGEST_PICTURE} pixels.",
        remedy="Give the volume that the pictures were cut from (--grid), or leave the task out.",
    )


def _nobodys_number() -> RejectedInput:
    return RejectedInput(
        "export-annotator",
        "The annotator of a save has no number, so that annotators cannot be told apart.",
        remedy="Export as JSON, which has the numbers, or leave --each-annotator out.",
    )


def _no_name() -> RejectedInput:
    return RejectedInput(
        "region-label",
        "The name of a label is empty or holds characters that do not show; its masks are left out.",
        remedy="Rename the label in the project's labelling interface, and export again.",
    )


def _is_mask(region: Any) -> bool:
    return isinstance(region, Mapping) and region.get("type") in MASK_TYPES


def _are_several_newest(saves: Sequence[ExportedSave], counting: Sequence[ExportedSave]) -> bool:
    """Whether another save of the same moment as one that counts, and by the same person, holds something else."""
    return any(
        save.moment[0] == newest.moment[0] and save.regions != newest.regions
        for newest in counting
        for save in saves
        if len(counting) == 1 or save.annotator == newest.annotator
    )


def _says_no_size(region: Region) -> bool:
    """Whether nothing of a run-length code says how wide its picture is; a bitmask says it itself."""
    is_code = _is_mask(region) and isinstance(region.get("value"), Mapping) and "rle" in region["value"]
    return is_code and not {"original_width", "original_height"} & region.keys()


def _is_side(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _other_types(regions: Sequence[Region]) -> Iterator[str]:
    """The types of regions that are neither masks nor prompts nor our hints, as far as a name can be one."""
    for region in regions:
        kind = region.get("type") if isinstance(region, Mapping) else None
        control = region.get("from_name") if isinstance(region, Mapping) else None
        is_hint = control == HINT and kind == "textarea"
        is_prompt = control in _PROMPT_CONTROLS and kind in _PROMPT_TYPES
        if not _is_mask(region) and not is_prompt and not is_hint:
            yield kind if isinstance(kind, str) and re.fullmatch("[a-z]{1,32}", kind) else "unknown"


def _no_page(page: int, pages: int) -> RejectedInput:
    return RejectedInput(
        "export-pages", f"The task has {pages} page(s), but a mask lies on page {page + 1}.",
        remedy="Open the task and draw the mask again.",
    )  # fmt: skip
