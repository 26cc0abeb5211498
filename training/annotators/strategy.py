"""A simulated annotator's strategy, fixed beforehand: order of slices, help of models, and what is good enough."""

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from datasets.errors import RejectedInput

FAR_SLICES = 3
"""Distance to the next finished slice from which many slices are interpolated from this one."""


class Help(StrEnum):
    """The model that is prompted on a slice which is badly wrong."""

    NONE = "none"
    CLICKS = "clicks"
    BOX = "box"


class Order(StrEnum):
    """The order in which slices are opened."""

    OUTWARDS = "outwards"
    """The largest slice, then its neighbours upwards to the tumour's end, then downwards."""

    HALVING = "halving"
    """The largest slice, the tumour's ends, then always the middle of the widest stretch of unfinished slices."""


@dataclass(frozen=True)
class GoodEnough:
    """When a slice, and when a case, is good enough.

    Args:
        share: A slice is good enough if the wrong area is at most this share of its tumour; 0.1 is a Dice of about
            0.95.
        floor_share: Or at most this share of the tumour's mean area over its slices, which spares specks on small
            slices; a slice with tumour is never left empty.
        case_dice: Dice of the whole case below which the worst slices are opened again.

    Raises:
        RejectedInput: A number is out of range.
    """

    share: float = 0.13
    floor_share: float = 0.1
    case_dice: float = 0.95

    def __post_init__(self) -> None:
        if not (0 < self.share < 1 and 0 <= self.floor_share < 1 and 0 < self.case_dice < 1):
            raise RejectedInput(
                "annotator-goal", "The shares and the Dice must lie between 0 and 1.", remedy="Correct them."
            )


@dataclass(frozen=True)
class Strategy:
    """A strategy of a simulated annotator.

    Args:
        name: Name of the strategy.
        points: Begin with six extreme points, from which a model draws the volume.
        help: The model that is prompted on a slice which is badly wrong.
        pre_drawn: Whether slices open with a mask interpolated from the finished ones.
        order: The order in which slices are opened.
        badly_off: Share of a slice's tumour that must be wrong before a model is prompted; below it the brush is used.
        most_clicks: Most clicks on one slice.
        careful: Factor on the wrong area that is allowed on slices from which many others are interpolated (the next
            finished one is `FAR_SLICES` away or more); 1 for no difference.
        outline: An empty slice begins with the tumour's outline, drawn with the finest brush along its inside; then it
            is filled. Without it the first stroke is the one that corrects most.
    """

    name: str
    points: bool = False
    help: Help = Help.NONE
    pre_drawn: bool = True
    order: Order = Order.HALVING
    badly_off: float = 0.5
    most_clicks: int = 2
    careful: float = 1.0
    outline: bool = False


BY_HAND = Strategy("by-hand", pre_drawn=False, order=Order.OUTWARDS)
"""Every slice from empty with the strokes that correct most: better planned than any person's."""

OUTLINED = replace(BY_HAND, name="by-hand-outlined", outline=True)
"""Every slice from empty, outlined and filled, as people draw with a brush."""

STRATEGIES = {
    each.name: each
    for each in (
        Strategy("clicks", help=Help.CLICKS),
        Strategy("points", points=True),
        Strategy("points-clicks", points=True, help=Help.CLICKS),
        Strategy("box", help=Help.BOX),
        Strategy("strokes"),
        Strategy("clicks-outwards", help=Help.CLICKS, order=Order.OUTWARDS),
        Strategy("box-outwards", help=Help.BOX, order=Order.OUTWARDS),
    )
}
"""The strategies that are compared, by name."""


def halving_order(first: int, largest: int, last: int) -> list[int]:
    """The largest slice, both ends, then the middle of the widest stretch between finished slices, the lower first."""
    order = list(dict.fromkeys((largest, first, last)))
    while len(order) < last - first + 1:
        done = sorted(order)
        below, above = max(pairwise(done), key=lambda ends: (ends[1] - ends[0], -ends[0]))
        order.append((below + above) // 2)
    return order
