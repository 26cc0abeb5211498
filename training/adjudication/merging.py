"""One mask from several, as a person picks: region by region whom to follow, and a rule for what was not picked."""

from collections.abc import Mapping
from enum import StrEnum

import numpy as np

from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from training.adjudication.disagreement import Disagreement
from training.adjudication.proposals import majority


class Pick(StrEnum):
    """What becomes of a region in which readers differ, without naming a reader."""

    INSIDE = "inside"
    OUTSIDE = "outside"


class Rest(StrEnum):
    """What becomes of regions that nobody picked."""

    REFUSE = "refuse"
    """Every region has to be picked."""
    MAJORITY = "majority"
    """As more than half of the readers have it; of an even number, half is outside."""
    INSIDE = "inside"
    OUTSIDE = "outside"


def merge(
    masks: Mapping[str, Inside],
    found: Disagreement,
    choices: Mapping[int, str],
    *,
    rest: Rest = Rest.REFUSE,
) -> Inside:
    """The mask that follows a person's choices where readers differ, and all readers where they agree.

    Args:
        masks: Each reader's mask, as they were given to `disagreement`.
        found: Where they differ.
        choices: By a region's number: the reader to follow, or a `Pick`. A reader who is called like a pick is not
            followed by name.
        rest: What becomes of the regions without a choice.

    Returns:
        bool of the masks' shape.

    Raises:
        RejectedInput: A choice names no region or no reader (``region-unknown``, ``reader-unknown``), or a region has
            no choice (``regions-open``).
    """
    numbers = {region.number: region for region in found.regions}
    if unknown := sorted(set(choices) - set(numbers)):
        raise RejectedInput(
            "region-unknown",
            f"Expected regions from 1 to {len(numbers)}, got {unknown[0]}.",
            remedy="Load the page again: a mask has changed since.",
        )
    is_open = sorted(set(numbers) - set(choices))
    if is_open and rest is Rest.REFUSE:
        raise RejectedInput(
            "regions-open",
            f"{len(is_open)} of {len(numbers)} regions are still open, such as region {is_open[0]}.",
            remedy="Choose for each of them, or say what becomes of the rest.",
        )
    taken = np.zeros(len(numbers) + 1, dtype=bool)
    for number, region in numbers.items():
        taken[number] = _is_inside(choices[number], region.inside, masks) if number in choices else rest is Rest.INSIDE
    merged: Inside = found.agreed | taken[found.numbers]
    if is_open and rest is Rest.MAJORITY:
        merged |= np.isin(found.numbers, is_open) & majority(masks)
    return merged


def _is_inside(choice: str, readers: tuple[str, ...], masks: Mapping[str, Inside]) -> bool:
    if choice in tuple(Pick):
        return choice == Pick.INSIDE
    if choice not in masks:
        raise RejectedInput(
            "reader-unknown",
            f"Expected one of {len(masks)} readers, inside or outside, got a name that is none of them.",
            remedy="Choose one of the readers of this case.",
        )
    return choice in readers
