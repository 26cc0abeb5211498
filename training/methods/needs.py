"""A model's needs in a trial: its images, and a simulated user who gives its kind of prompt."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Mask
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.image_kind import T1
from training.model_package import BOXED, Method, ModelDescription
from training.prompts.prompt import Prompts
from training.prompts.simulated_clicks import ClickRule
from training.prompts.simulated_user import BoxUser, ClickUser, SimulatedUser, SixPointUser

CLICKED = (Method.CLICKS_2D, Method.CLICKS_3D, Method.DEEPEDIT, Method.TWO_STAGE)
"""Methods that are corrected click by click."""

_ANY_IMAGE = T1
"""The kind that stands for any image."""


def channels_of(description: ModelDescription) -> tuple[str, ...]:
    """The kinds of image that a request to a model names, in its order; one that stands for any where any will do.

    Raises:
        RejectedInput: The package does not name them.
    """
    return description.kinds or (_ANY_IMAGE,)


def user_of(method: Method, rule: ClickRule = ClickRule.DEEPGROW, *, with_depth: bool = False) -> SimulatedUser:
    """The simulated user for a method: six points, clicks, boxes as people draw them, or no prompts.

    Args:
        method: The model's.
        rule: Rule by which a user of a click method chooses clicks.
        with_depth: Whether a user of a box method draws one box around all of the tumour, not one on every slice.
    """
    if method is Method.SIX_POINTS:
        return SixPointUser()
    if method in BOXED:
        return BoxUser(with_depth=with_depth)
    if method is Method.UNET_25D:
        return SilentUser()
    return ClickUser(rule, from_click=int(method is Method.CLICKS_2D))


@dataclass(frozen=True)
class SilentUser:
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

    def slices(self, prompts: Prompts, pictures: PicturePlane) -> None:
        """All slices."""

    def next(self, target: Mask, predicted: NDArray[np.bool_], prompts: Prompts, *, random: Any) -> Prompts | None:
        """No further request."""
        return None
