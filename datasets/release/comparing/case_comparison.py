"""Compares a case of one version with the same case of another: words, grids, images and masks.

A file that has the same bytes in both is not read; a volume's voxels are only looked at where their digests differ.
"""

from collections.abc import Iterator

import numpy as np

from datasets.image.grid_difference import describe_difference
from datasets.image.mask import Inside, Mask
from datasets.image.mask_measures import dice, surface_distances
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import PicturePlane
from datasets.release.comparing.change_pictures import image_pictures, mask_picture, moved_picture
from datasets.release.comparing.changes import (
    CaseChange,
    ChangePicture,
    FieldChange,
    ImageChange,
    ImageFate,
    MaskChange,
)
from datasets.release.comparing.opened_case import OpenedCase, grid_of

_DIGITS = 6
"""Decimals of figures: more would differ between processors."""


def compared_case(old: OpenedCase, new: OpenedCase, *, place: str) -> CaseChange:
    """What changed in a case.

    Args:
        old: The case in the version before.
        new: The case now.
        place: What the files of its pictures begin with.

    Raises:
        RejectedInput: A file is not as its version lists it.
    """
    pictures: list[ChangePicture] = []
    images = tuple(_image_changes(old, new, pictures, place=place))
    grid = ""
    masks: tuple[MaskChange, ...] = ()
    paths = old.entry.mask_path, new.entry.mask_path
    if old.sha256(paths[0]) != new.sha256(paths[1]):
        facts = old.facts(paths[0]), new.facts(paths[1])
        grid = grid_words(grid_of(facts[0]), grid_of(facts[1]))
        if grid:
            masks = tuple(_moved_masks(old, new, pictures, place=place))
        elif facts[0].voxels != facts[1].voxels or old.release.labels != new.release.labels:
            masks = tuple(_mask_changes(old, new, pictures, place=place))
    return CaseChange(
        new.entry.case, old.entry.case, tuple(_field_changes(old, new)), grid, images, masks, tuple(pictures)
    )


def grid_words(old: Grid, new: Grid) -> str:
    """How a grid differs from another, in words; empty where it does not."""
    if old.matches(new):
        return ""
    return f"{old.describe()} before, {new.describe()} now, {describe_difference(old, new)}"


def _field_changes(old: OpenedCase, new: OpenedCase) -> Iterator[FieldChange]:
    words = old.words(), new.words()
    if old.entry.case != new.entry.case:
        for each in words:
            each.pop("patient")  # the patient is called otherwise, too
    yield from field_changes(*words)
    provenance = old.provenance(), new.provenance()
    if all(provenance):
        yield from field_changes(*({f"provenance: {name}": each[name] for name in each} for each in provenance))


def field_changes(old: dict[str, str], new: dict[str, str]) -> Iterator[FieldChange]:
    """The values that differ, by their names."""
    for name in dict.fromkeys((*old, *new)):
        if old.get(name, "") != new.get(name, ""):
            yield FieldChange(name, old.get(name, ""), new.get(name, ""))


def _image_changes(
    old: OpenedCase, new: OpenedCase, pictures: list[ChangePicture], *, place: str
) -> Iterator[ImageChange]:
    for role in dict.fromkeys((*old.images, *new.images)):
        if role not in old.images or role not in new.images:
            yield ImageChange(role, ImageFate.CAME if role in new.images else ImageFate.LEFT)
        elif old.sha256(old.images[role]) != new.sha256(new.images[role]):
            yield from _image_change(old, new, role, pictures, place=place)


def _image_change(
    old: OpenedCase, new: OpenedCase, role: str, pictures: list[ChangePicture], *, place: str
) -> Iterator[ImageChange]:
    facts = old.facts(old.images[role]), new.facts(new.images[role])
    if grid := grid_words(grid_of(facts[0]), grid_of(facts[1])):
        yield ImageChange(role, ImageFate.MOVED, grid=grid)
        return
    if facts[0].voxels == facts[1].voxels:
        return
    one, other = old.volume(role), new.volume(role)
    values = [np.asarray(each.data, np.float64) for each in (one, other)]
    different = (values[0] != values[1]) & ~(np.isnan(values[0]) & np.isnan(values[1]))
    count = int(np.count_nonzero(different))
    if not count:
        return  # the same numbers, stored otherwise
    with np.errstate(invalid="ignore"):
        apart = np.abs(values[0] - values[1])[different]
    largest = float(np.nanmax(apart, initial=0.0)) if np.isfinite(apart).any() else None
    modality = new.release.modality(role)
    pictures.extend(image_pictures(one, other, modality, different, place=f"{place}-{_number(new, role)}", role=role))
    share = round(count / different.size, _DIGITS)
    yield ImageChange(role, ImageFate.CHANGED, count, share, None if largest is None else round(largest, _DIGITS))


def _number(case: OpenedCase, role: str) -> str:
    return f"image-{list(case.images).index(role) + 1}"


def _mask_changes(
    old: OpenedCase, new: OpenedCase, pictures: list[ChangePicture], *, place: str
) -> Iterator[MaskChange]:
    one, other = old.mask(), new.mask()
    plane = PicturePlane.of(other.grid)
    image = None
    for number, label in enumerate(_labels(one, other), start=1):
        insides = one.label(label), other.label(label)
        if np.array_equal(*insides):
            continue
        if image is None:
            image = new.volume(new.drawn_role)
            image.grid.require_match(other.grid, what="The image that was drawn on and the mask")
        modality = new.release.modality(new.drawn_role)
        pictures.append(mask_picture(image, modality, *insides, place=f"{place}-label-{number}", label=label))
        yield _mask_change(label, *insides, grid=other.grid, slice_axis=plane.slice_axis)


def _mask_change(label: str, old: Inside, new: Inside, *, grid: Grid, slice_axis: int) -> MaskChange:
    ml = grid.voxel_volume_mm3 / 1000.0
    changed = old ^ new
    others = tuple(axis for axis in range(3) if axis != slice_axis)
    ways = surface_distances(old, new, grid)
    largest = max((float(way.max()) for way in ways if way.size), default=0.0)
    return MaskChange(
        label,
        old_ml=round(int(old.sum()) * ml, _DIGITS),
        new_ml=round(int(new.sum()) * ml, _DIGITS),
        came=int((new & ~old).sum()),
        left=int((old & ~new).sum()),
        changed_ml=round(int(changed.sum()) * ml, _DIGITS),
        dice=round(dice(old, new), _DIGITS),
        largest_mm=round(largest, _DIGITS) if np.isfinite(largest) else None,
        slices=tuple(int(at) for at in np.flatnonzero(changed.any(axis=others))),
    )


def _moved_masks(
    old: OpenedCase, new: OpenedCase, pictures: list[ChangePicture], *, place: str
) -> Iterator[MaskChange]:
    """Volumes alone, and each version's mask on its own image: nothing is resampled."""
    masks = old.mask(), new.mask()
    for case, mask, is_old in zip((old, new), masks, (True, False), strict=True):
        image = case.volume(case.drawn_role)
        image.grid.require_match(mask.grid, what="The image that was drawn on and the mask")
        modality = case.release.modality(case.drawn_role)
        pictures.append(moved_picture(image, modality, mask.foreground, place=f"{place}-grid", is_old=is_old))
    volumes = [mask.label_volumes_ml() for mask in masks]
    for label in _labels(*masks):
        before, now = (round(each.get(label, 0.0), _DIGITS) for each in volumes)
        yield MaskChange(label, before, now)


def _labels(*masks: Mask) -> list[str]:
    return list(dict.fromkeys(name for mask in masks for _, name in sorted(mask.labels.items())))
