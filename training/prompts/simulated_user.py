"""Simulated users, who answer a segmenter's masks with prompts, for training and evaluation without people.

All share one interface: `start` gives the prompts of the first request, `next` those after a mask was drawn.
Users of the six points and of boxes make one request. A user that is given a single slice (a grid of one voxel along
the slice axis) works on it as on a picture.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Mask
from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import Click, Prompts
from training.prompts.simulated_boxes import TRAINING_JITTER, BoxMargin, box_with_depth, slice_boxes
from training.prompts.simulated_clicks import ClickRule, next_click
from training.prompts.simulated_points import points_mm, six_points


class SimulatedUser(Protocol):
    """A simulated person who knows the tumour and prompts for it."""

    @property
    def name(self) -> str:
        """Description of the user, in a phrase."""
        ...

    def rounds(self, clicks: int) -> tuple[int, ...]:
        """The numbers of clicks after which a mask is measured, if `clicks` are allowed; (1,) for one request."""
        ...

    def start(self, target: Mask, random: np.random.Generator) -> Prompts:
        """The prompts of the first request.

        Args:
            target: The true mask; all its labels count.
            random: Generator of the choices.

        Raises:
            RejectedInput: The mask is empty, or too small for this user.
        """
        ...

    def slices(self, prompts: Prompts, pictures: PicturePlane) -> tuple[int, ...] | None:
        """The slices that the user wants drawn; None for all."""
        ...

    def next(
        self, target: Mask, predicted: NDArray[np.bool_], prompts: Prompts, *, random: np.random.Generator
    ) -> Prompts | None:
        """All prompts of the next request; None if the user has nothing to correct.

        Args:
            target: The true mask.
            predicted: The segmenter's mask, on the target's grid.
            prompts: The prompts of the last request.
            random: Generator of the choices.
        """
        ...


@dataclass(frozen=True)
class Habits:
    """How a simulated user prompts, where there is a choice.

    Args:
        rule: Rule by which clicks are chosen.
        with_depth: Whether one box is drawn around all of the tumour, not one on every slice.
    """

    rule: ClickRule = ClickRule.DEEPGROW
    with_depth: bool = False


@dataclass(frozen=True)
class ClickUser:
    """Clicks where the mask is wrong, one click a request.

    Args:
        rule: Rule that chooses the click.
        from_click: 0 if the first request has no click (automatic methods), 1 if it has one.
    """

    rule: ClickRule = ClickRule.DEEPGROW
    from_click: int = 0

    @property
    def name(self) -> str:
        """Description of the user, in a phrase."""
        return f"{self.rule.value} clicks"

    def rounds(self, clicks: int) -> tuple[int, ...]:
        """The numbers of clicks from `from_click` on."""
        return tuple(range(self.from_click, clicks + 1))

    def start(self, target: Mask, random: np.random.Generator) -> Prompts:
        """No click, or the first ones inside the tumour."""
        prompts = Prompts()
        for _ in range(self.from_click):
            nothing = np.zeros(target.grid.shape, dtype=np.bool_)
            prompts = self.next(target, nothing, prompts, random=random) or prompts
        return prompts

    def slices(self, prompts: Prompts, pictures: PicturePlane) -> None:
        """All: a click does not tell where the tumour ends."""

    def next(
        self, target: Mask, predicted: NDArray[np.bool_], prompts: Prompts, *, random: np.random.Generator
    ) -> Prompts | None:
        """The clicks so far and one that corrects the mask; None if the mask is right."""
        click = next_click(target.foreground, predicted, random, rule=self.rule)
        if click is None:
            return None
        (point,) = points_mm(np.array([click.index]), target.grid)
        return replace(prompts, clicks=(*prompts.clicks, Click(point, positive=click.positive)))


class _OneRequest:
    """A user who makes one request only."""

    def rounds(self, clicks: int) -> tuple[int, ...]:
        """One, however many clicks are allowed."""
        return (1,)

    def slices(self, prompts: Prompts, pictures: PicturePlane) -> tuple[int, ...] | None:
        """All slices."""
        return None

    def next(self, target: Mask, predicted: NDArray[np.bool_], prompts: Prompts, *, random: Any) -> Prompts | None:
        """No further request."""
        return None


@dataclass(frozen=True)
class SixPointUser(_OneRequest):
    """Places InteractiveNet's six points just inside the tumour's ends."""

    @property
    def name(self) -> str:
        """Description of the user, in a phrase."""
        return "six points"

    def start(self, target: Mask, random: np.random.Generator) -> Prompts:
        """Six points as extreme points."""
        voxels = six_points(target.foreground, target.grid.spacing, random)
        return Prompts(extreme_points=points_mm(voxels, target.grid))


@dataclass(frozen=True)
class BoxUser(_OneRequest):
    """Draws a box around the tumour on every slice, or one box around all of it.

    Args:
        margin: Margin of the boxes.
        with_depth: One box from the tumour's first slice to its last.
    """

    margin: BoxMargin = TRAINING_JITTER
    with_depth: bool = False

    @property
    def name(self) -> str:
        """Description of the user, in a phrase."""
        what = "one box with depth" if self.with_depth else "a box on every slice"
        return f"{what}, {self.margin.least} to {self.margin.most} of 256 pixels too large on each side"

    def start(self, target: Mask, random: np.random.Generator) -> Prompts:
        """A flat box on each slice with tumour, or one with depth."""
        pictures = PicturePlane.of(target.grid)
        if self.with_depth:
            return Prompts(boxes=(box_with_depth(target.foreground, pictures, random, margin=self.margin),))
        return Prompts(boxes=slice_boxes(target.foreground, pictures, random, margin=self.margin))

    def slices(self, prompts: Prompts, pictures: PicturePlane) -> tuple[int, ...] | None:
        """The slices with a box: a user who draws one on every slice of the tumour means that the others hold none."""
        if self.with_depth:
            return None
        places = pictures.grid.to_voxel([box.corner_mm for box in prompts.boxes])[:, pictures.slice_axis]
        return tuple(sorted({int(place) for place in np.rint(places)}))


class SilentUser(_OneRequest):
    """Gives no prompt, for automatic methods."""

    @property
    def name(self) -> str:
        """Description of the user, in a phrase."""
        return "no prompts"

    def rounds(self, clicks: int) -> tuple[int, ...]:
        """One mask, after no click."""
        return (0,)

    def start(self, target: Mask, random: np.random.Generator) -> Prompts:
        """No prompts."""
        return Prompts()


def silent_user(habits: Habits) -> SimulatedUser:
    """Who gives no prompt."""
    return SilentUser()


def six_point_user(habits: Habits) -> SimulatedUser:
    """Who places six points."""
    return SixPointUser()


def box_user(habits: Habits) -> SimulatedUser:
    """Who draws boxes."""
    return BoxUser(with_depth=habits.with_depth)


def click_user(habits: Habits) -> SimulatedUser:
    """Who lets the model draw, and then clicks."""
    return ClickUser(habits.rule)


def first_click_user(habits: Habits) -> SimulatedUser:
    """Who clicks before the model draws."""
    return ClickUser(habits.rule, from_click=1)
