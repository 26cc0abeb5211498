"""Folders of numbered pictures, as MSTT-199 has them, put together to volumes.

A picture is grey, or holds slices z-1, z and z+1 as its three colours; the middle one is slice z. Rows run along i,
columns along j, as `formatSignal` of the publisher's code and its way back (`create_output_volume`) have it; voxels are
cubes of 1 mm. How i, j and k lie in the body the pictures do not say: they are taken as scanners write axial slices, i
to the patient's left, j to the back, k upwards.

Source: github.com/Reasat/mstt, utils.py and kfold_inference_sts_full_image.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.gate import DEFAULT_BUDGET, opened
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.pictures.png_file import is_whole_png

AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])

_MOST_SIDE = 4096
_MOST_PICTURE_BYTES = 64 << 20
_COLOURS, _MIDDLE = 3, 1
_DOWNLOAD = "Download the pictures of this case again."


@dataclass(frozen=True)
class Stack:
    """The pictures of one image or mask.

    Args:
        paths: Number of a slice to its picture.
    """

    paths: Mapping[int, str] = field(repr=False)

    @property
    def numbers(self) -> range:
        """From the first slice to the last."""
        return range(min(self.paths), max(self.paths) + 1)


@dataclass(frozen=True, eq=False)
class StackedImage:
    """An image that was put together.

    Args:
        volume: Its voxels, uint8.
        are_neighbours_right: Whether each picture's outer colours are the slices beside it, where it has any.
    """

    volume: Volume
    are_neighbours_right: bool


def stack_image(tree: FileTree, stack: Stack) -> StackedImage:
    """Puts an image's pictures together.

    Raises:
        RejectedInput: ``slices-missing``, ``slices-size`` (pictures of several sizes, or too large),
            ``slice-unreadable``.
    """
    missing = len(stack.numbers) - len(stack.paths)
    if missing:
        raise RejectedInput(
            "slices-missing",
            f"{missing} slice(s) between the first and the last of an image are missing.",
            remedy=_DOWNLOAD,
        )
    pictures = [_picture(tree, stack.paths[number]) for number in stack.numbers]
    _require_one_size([picture.shape[:2] for picture in pictures], len(pictures))
    middle = np.stack([_slice(picture) for picture in pictures], axis=-1)
    return StackedImage(_volume(middle), _are_neighbours_right(pictures, middle))


def stack_mask(tree: FileTree, stack: Stack, image: Stack, grid: Grid) -> tuple[Mask, int]:
    """Puts a mask's pictures together on the grid of its image.

    Args:
        tree: The dataset's.
        stack: The mask's pictures.
        image: The image's.
        grid: The image's.

    Returns:
        The mask, 1 inside, and how many slices of the image have no picture of it: nothing is drawn there.

    Raises:
        RejectedInput: ``slices-beside`` (a mask of a slice that the image lacks), ``slices-size``,
            ``slice-mask-values`` (grey values between inside and outside), ``slice-unreadable``.
    """
    data = np.zeros(grid.shape, np.uint8)
    if not set(stack.paths) <= set(image.paths):
        message = "A mask has slices that its image lacks."
        raise RejectedInput("slices-beside", message, remedy=_DOWNLOAD)
    for number, path in stack.paths.items():
        drawn = _slice(_picture(tree, path))
        _require_one_size([drawn.shape, grid.shape[:2]], len(image.paths))
        values = np.unique(drawn)
        if len(values) > 2 or (len(values) == 2 and values[0] != 0):
            message = "A picture of a mask holds other values than one for inside and 0 for outside."
            raise RejectedInput("slice-mask-values", message, remedy="Download the masks again, as PNG.")
        data[:, :, number - image.numbers.start] = drawn > 0
    return Mask(data, grid), len(image.paths) - len(stack.paths)


def _picture(tree: FileTree, path: str) -> NDArray[np.uint8]:
    """(height, width) or (height, width, 3) of a PNG of 8 bits that is whole."""
    try:
        with opened(tree.file(path)) as stream:
            content = stream.read(_MOST_PICTURE_BYTES + 1)
        picture = Image.open(BytesIO(content), formats=["PNG"])
        if len(content) > _MOST_PICTURE_BYTES or max(picture.size) > _MOST_SIDE:
            raise RejectedInput("slices-size", "A picture of a slice is too large.", remedy=_DOWNLOAD)
        is_sound = picture.mode in ("L", "RGB") and is_whole_png(content) and not tree.file(path).is_symlink()
        pixels = np.asarray(picture) if is_sound else None
    except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises over damaged bytes
        raise _unreadable() from error
    if pixels is None:
        raise _unreadable()
    return pixels


def _slice(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture if picture.ndim == 2 else picture[..., _MIDDLE]


def _require_one_size(sizes: list[tuple[int, ...]], count: int) -> None:
    if len(set(sizes)) > 1 or np.prod(sizes[0]) * count > DEFAULT_BUDGET.volume_bytes // 4:
        raise RejectedInput(
            "slices-size", "The pictures of a case are of several sizes, or too many.", remedy=_DOWNLOAD
        )


def _volume(data: NDArray[np.uint8]) -> Volume:
    height, width, count = data.shape
    return Volume(data, Grid((height, width, count), AFFINE))


def _are_neighbours_right(pictures: list[NDArray[np.uint8]], middle: NDArray[np.uint8]) -> bool:
    """Whether the outer colours are the neighbours' middles, in either order, at the ends the end itself."""
    if any(picture.ndim == 2 for picture in pictures):
        return True
    places = np.clip(np.arange(len(pictures))[:, None] + (-1, 1), 0, len(pictures) - 1)
    return any(
        all(
            np.array_equal(picture[..., first], middle[..., before])
            and np.array_equal(picture[..., _COLOURS - 1 - first], middle[..., after])
            for picture, (before, after) in zip(pictures, places, strict=True)
        )
        for first in (0, _COLOURS - 1)
    )


def _unreadable() -> RejectedInput:
    return RejectedInput(
        "slice-unreadable", "A picture of a slice is no whole PNG of 8 bits, grey or in colour.", remedy=_DOWNLOAD
    )
