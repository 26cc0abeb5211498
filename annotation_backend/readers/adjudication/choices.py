"""An adjudicator's choices as values and as one word of an address; and the mask that follows of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from annotation_backend.readers.adjudication.proposals import differences, label_map, proposals_for, proposed_mask
from annotation_backend.readers.adjudication.readings import Readings
from datasets.errors import RejectedInput
from datasets.image.mask import Mask
from training.adjudication.merging import Rest, merge

INSIDE, OUTSIDE = "inside", "outside"
BY_REGION = "regions"

_WORD = re.compile(
    r"(?P<whole>[a-z0-9]{1,12})(?:~(?P<rest>[a-z]{1,12})(?P<regions>(?:~\d{1,3}\.\d{1,6}\.[a-z0-9]{1,8})*))?"
)
_MERGED_IN_MEMORY = 4


@dataclass(frozen=True)
class Choices:
    """What an adjudicator takes.

    Args:
        whole: The seat of the reader whose mask is taken whole, ``majority``, ``staple``, or `BY_REGION`.
        rest: Where it goes by region: what becomes of the regions that were not chosen.
        regions: By label's value and region's number: ``inside``, ``outside`` or a reader's seat.
    """

    whole: str
    rest: Rest = Rest.MAJORITY
    regions: Mapping[tuple[int, int], str] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """All of it as one word of an address."""
        if self.whole != BY_REGION:
            return self.whole
        chosen = (f"~{value}.{number}.{choice}" for (value, number), choice in sorted(self.regions.items()))
        return f"{self.whole}~{self.rest.value}{''.join(chosen)}"


def read_choices(word: str) -> Choices:
    """Choices from their word.

    Raises:
        RejectedInput: It is none (``choice-unreadable``).
    """
    match = _WORD.fullmatch(word)
    if match is None or (match["rest"] or Rest.MAJORITY.value) not in tuple(Rest):
        raise RejectedInput("choice-unreadable", "These choices cannot be read.", remedy="Load the page, choose again.")
    if match["whole"] != BY_REGION:
        return Choices(match["whole"])
    rows = (part.split(".") for part in (match["regions"] or "").split("~") if part)
    regions = {(int(value), int(number)): choice for value, number, choice in rows}
    return Choices(BY_REGION, Rest(match["rest"] or Rest.MAJORITY.value), regions)


def chosen_mask(readings: Readings, choices: Choices) -> Mask:
    """The mask that an adjudicator's choices give.

    Raises:
        RejectedInput: A choice names no reader, proposal or region (``reader-unknown``, ``region-unknown``), proposals
            are not worked out yet (``proposals-missing``), or a mask's file is damaged.
    """
    volumes = {str(seat): mask for seat, mask in readings.volumes().items()}
    if choices.whole in volumes:
        return volumes[choices.whole]
    if choices.whole == BY_REGION:
        return _merged(_Key(readings), choices.word)
    if choices.whole not in ("staple", "majority"):
        raise RejectedInput(
            "reader-unknown", "No reader of this case has that seat.", remedy="Take one that the page shows."
        )
    proposals = proposals_for(readings)
    if proposals is None:
        raise RejectedInput(
            "proposals-missing", "A worker still puts the proposals together.", remedy="Load the page in a moment."
        )
    return proposed_mask(proposals, choices.whole)


class _Key:
    """Readings as a key of the memory: equal where their masks are."""

    def __init__(self, readings: Readings) -> None:
        self.readings = readings
        self.sha256 = readings.masks_sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.sha256 == self.sha256


@lru_cache(maxsize=_MERGED_IN_MEMORY)
def _merged(key: _Key, word: str) -> Mask:
    """The merged mask; kept for the next picture of the same choices."""
    readings, choices = key.readings, read_choices(word)
    labels = readings.case.protocol.label_names
    if unknown := {value for value, _ in choices.regions} - set(labels):
        raise RejectedInput(
            "region-unknown", f"No label has the value {min(unknown)}.", remedy="Load the page: something has changed."
        )
    inside = {}
    for value, name in labels.items():
        masks = readings.inside(name)
        chosen = {number: choice for (of, number), choice in choices.regions.items() if of == value}
        if chosen or any(mask.any() for mask in masks.values()):
            inside[name] = merge(masks, differences(readings, masks), chosen, rest=choices.rest)
    return label_map(readings, inside)
