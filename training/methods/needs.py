"""A model's needs in a trial: its images, and a simulated user who gives its kind of prompt."""

from datasets.study.image_kind import T1
from training.model_package import ModelDescription
from training.prompts.simulated_user import Habits, SimulatedUser
from training.table.method import Method, function_called

_ANY_IMAGE = T1
"""The kind that stands for any image."""


def channels_of(description: ModelDescription) -> tuple[str, ...]:
    """The kinds of image that a request to a model names, in its order; one that stands for any where any will do.

    Raises:
        RejectedInput: The package does not name them.
    """
    return description.kinds or (_ANY_IMAGE,)


def user_of(method: Method, habits: Habits | None = None) -> SimulatedUser:
    """The simulated user for a method: six points, clicks, boxes as people draw them, or no prompts.

    Args:
        method: The model's.
        habits: How the user prompts; None for the usual way.
    """
    user: SimulatedUser = function_called(method.user)(habits or Habits())
    return user
