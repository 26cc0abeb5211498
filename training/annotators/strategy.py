"""How a simulated annotator works, fixed beforehand: in which order, with which help, and what is good enough."""

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from datasets.errors import RejectedInput

FAR_SLICES = 3
"""From here on, many slices will be drawn from this one."""


class Help(StrEnum):
    """The model that is prompted on a slice which is badly off."""

    NONE = "none"
    CLICKS = "clicks"
    BOX = "box"


class Order(StrEnum):
    """In which order slices are opened."""

    OUTWARDS = "outwards"
    """The largest slice, then its neighbours upwards to the tumour's end, then downwards."""

    HALVING = "halving"
    """The largest slice, the tumour's ends, then always the middle of the widest stretch of unfinished slices."""


@dataclass(frozen=True)
class GoodEnough:
    """When a person leaves a slice, and when a case.

    Args:
        share: A slice is left when the wrong area is at most this share of its tumour; 0.1 is a Dice of about 0.95.
        floor_share: Or this share of the tumour's mean area over its slices, which spares specks on small slices; a
            slice with tumour is never left empty.
        case_dice: Where the case as a whole has less, the slices that are worst are opened once more.

    Raises:
        RejectedInput: A number is out of range.
    """

    share: float = 0.13
    floor_share: float = 0.1
    case_dice: float = 0.95

    def __post_init__(self) -> None:
        if not (0 < self.share < 1 and 0 <= self.floor_share < 1 and 0 < self.case_dice < 1):
            raise RejectedInput(
                "annotator-goal", "Expected shares and a Dice between 0 and 1, got others.", remedy="Correct them."
            )


@dataclass(frozen=True)
class Strategy:
    """How a person works.

    Args:
        name: What it is called.
        points: Begin with six extreme points, from which a model draws the volume.
        help: Who is prompted on a slice that is badly off.
        pre_drawn: Whether slices arrive drawn from the finished ones.
        order: In which order slices are opened.
        badly_off: A slice is prompted where more than this share of its tumour is wrong; otherwise it is brushed.
        most_clicks: Clicks on one slice at most.
        careful: On slices from which many others will be drawn (the next finished one is `FAR_SLICES` away or more),
            this part of the wrong area is allowed that is allowed elsewhere; 1 for no difference.
        outline: An empty slice begins with the tumour's outline, drawn with the finest brush along its inside; then it
            is filled. Without it the hand begins with whatever stroke mends most.
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
"""Every slice from empty with the strokes that mend most: a hand that plans like nobody does."""

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
