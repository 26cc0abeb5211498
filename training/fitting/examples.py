"""Training examples, reoriented, normalised and held in memory, and regions sampled from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from datasets.errors import ProgramFault, RejectedInput
from datasets.image.mask import Mask
from datasets.image.mask_box import mask_bounds
from datasets.image.orientation import as_ras
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from training.inputs.canvas import Picture, Region, Shape, resized
from training.inputs.intensity_rules import Greys, IntensityRule, on_canvas
from training.inputs.kinds import image_of


@dataclass(frozen=True, eq=False)
class Example:
    """One patient's images with the approved mask, on one grid.

    Args:
        case: The case's name.
        patient: The patient, all of whose cases belong to one fold.
        volumes: Images by kind (`datasets.study.image_kind`).
        mask: Of one label: every labelled voxel counts as tumour.
        slice_axis: The grid axis that runs through the slices as they were drawn; None for the one nearest to axial.

    Raises:
        GeometryError: An image lies on another grid than the mask.
        RejectedInput: The mask is empty, or there is no such axis.
    """

    case: str
    patient: str
    volumes: Mapping[str, Volume]
    mask: Mask
    slice_axis: int | None = None

    def __post_init__(self) -> None:
        for name, volume in self.volumes.items():
            self.mask.grid.require_match(volume.grid, what=f"The mask and the image {name} of an example")
        if not self.mask.foreground.any():
            raise RejectedInput(
                "example-empty",
                "The mask of a training example is empty.",
                remedy="Leave the case out, or correct its mask.",
            )
        self.plane  # noqa: B018 - refuses another axis

    @cached_property
    def plane(self) -> PicturePlane:
        """Its slices."""
        if self.slice_axis is None:
            return PicturePlane.of(self.mask.grid)
        return PicturePlane.along(self.mask.grid, self.slice_axis)

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """The tumour as a boolean array, axes towards right, anterior, superior."""
        return np.ascontiguousarray(as_ras(Volume(self.mask.foreground, self.mask.grid)).data)

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres along right, anterior, superior."""
        return as_ras(Volume(self.mask.foreground, self.mask.grid)).grid.spacing

    @cached_property
    def bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First and last voxel of the tumour along each axis of `inside`."""
        found = mask_bounds(self.inside)
        if found is None:
            raise ProgramFault(
                "example-empty",
                "A mask that was checked before is empty.",
                remedy="Report it.",
            )
        return found

    def raw(self, kind: str) -> NDArray[np.generic]:
        """An image as it is, axes towards right, anterior, superior.

        Raises:
            RejectedInput: There is no such image.
        """
        return np.ascontiguousarray(as_ras(image_of(self.volumes, kind)).data)


def ordered_examples(examples: Sequence[Example]) -> list[Example]:
    """The examples by name.

    Raises:
        RejectedInput: There is no example, or a case is given twice.
    """
    if not examples or len({example.case for example in examples}) != len(examples):
        raise RejectedInput(
            "fit-no-cases",
            "There is no training example, or one case is given twice.",
            remedy="Give each approved case once.",
        )
    return sorted(examples, key=lambda example: example.case)


class PreparedExamples:
    """Examples reoriented and held in memory, with the normalisation of each image.

    Args:
        examples: In any order; they are ordered by name.
        channels: Which images, and the intensity rule of each.

    Raises:
        RejectedInput: There is no example, a case is given twice, or an image is missing.
    """

    def __init__(self, examples: Sequence[Example], channels: Mapping[str, IntensityRule]) -> None:
        self.examples = ordered_examples(examples)
        self._images = [[example.raw(name) for name in channels] for example in self.examples]
        self._greys = [
            [Greys.of(image, rule) for image, rule in zip(images, channels.values(), strict=True)]
            for images in self._images
        ]

    def drawn(self, random: np.random.Generator) -> int:
        """The number of a random example."""
        return int(random.integers(len(self.examples)))

    def arrays(self, number: int) -> list[NDArray[np.generic]]:
        """An example's images, not normalised."""
        return self._images[number]

    def greys(self, number: int) -> list[Greys]:
        """The normalisation of each of them."""
        return self._greys[number]

    def images(self, number: int, region: Region, shape: Shape) -> Picture:
        """The normalised images of a region on a canvas, (C, *shape)."""
        return on_canvas(self._images[number], self._greys[number], region, shape=shape)

    def target(self, number: int, region: Region, shape: Shape) -> Picture:
        """Share of each canvas voxel that is tumour, (1, *shape)."""
        return resized(self.examples[number].inside[region.slices], shape)[None]


def sampled_region(example: Example, random: np.random.Generator, *, whole: float) -> Region:
    """A random region: most of the volume, or a box around the tumour that is up to twice as long.

    Args:
        example: The training example.
        random: Generator of every choice.
        whole: How often (0..1) most of the volume is taken; each side then loses up to half its margin to the tumour.
    """
    lower, upper = example.bounds
    limit = np.array(example.inside.shape) - 1
    if random.random() < whole:
        lost = random.uniform(0.0, 0.5, (2, 3)) * (random.random() < 0.5)
        return Region.around(lower * lost[0], limit - (limit - upper) * lost[1], shape=example.inside.shape)
    size = upper - lower + 1
    margins = random.uniform(0.05, 0.5, (2, 3)) * size + 1
    return Region.around(lower - margins[0], upper + margins[1], shape=example.inside.shape)
