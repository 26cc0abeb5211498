"""Stage: a step of a protocol on a case's way to an approved mask: who does what, when it is done, and what follows."""

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from datasets.study.case import QualityScore

BY_A_MODEL = "model"
"""Stands for the people of a stage that a model does by itself."""


class StageWork(StrEnum):
    """What is done in a stage."""

    DRAW = "draw"
    REVIEW = "review"
    ADJUDICATE = "adjudicate"
    """Readers' masks of the stages before are looked at together, and one mask is picked or merged of them."""


class DrawingMethod(StrEnum):
    """How a mask comes about in a stage."""

    AS_PEOPLE_LIKE = ""
    AUTOMATIC = "automatic"
    INTERACTIVE = "interactive"
    MANUAL = "manual"
    """By hand alone: no model draws before, and none answers a prompt."""


class WantedSlices(StrEnum):
    """Which slices of a case a drawing stage is about."""

    ALL = "all"
    CENTRE = "centre"
    """One slice, where the tumour is largest; the person chooses which."""

    ADJACENT = "adjacent"
    """Those beside a slice that is finished, outwards until the tumour ends."""


class AssignedBy(StrEnum):
    """How people come to the pieces of a stage's work."""

    OPEN = "open"
    """Whoever may do it does it, without an assignment."""

    CLAIM = "claim"
    """A person takes the next piece and has it until a lease runs out."""

    RANDOM = "random"
    """The next piece goes to one drawn at random, balanced: nobody has two more than another."""

    LOAD = "load"
    """The next piece goes to whoever has the fewest left to do."""

    HAND = "hand"
    """A data manager says who does it."""


class OpensNext(StrEnum):
    """What of a drawing stage opens the stages after it."""

    ANY_SLICE = "any-slice"
    ALL_SLICES = "all-slices"
    HAND_IN = "hand-in"
    """The person says that the piece is complete."""


@dataclass(frozen=True)
class Stage:
    """A step on a case's way to an approved mask.

    Args:
        name: Small letters, digits and hyphens.
        title: For people.
        done_by: The role of the people who do it: ``annotator``, ``radiologist`` or ``data_manager``; or ``model``.
        unit: What one piece of its work is: ``slice`` or ``case``.
        readers: How many people do it, each on their own.
        is_blind: Whether they do not see each other's work, nor a model's.
        is_by_another: Whether who drew must not do it.
        after: Names of the stages that must be done before; () for the first.
        returns_to: Name of the stage to which it sends a case back; empty where it cannot.
        does: What is done in it.
        method: How a mask comes about in it, of a drawing stage.
        slices: Which slices it is about, of a drawing stage.
        piece: Slices in one piece of work; 0 for all that are free.
        assignment: How people come to their work.
        lease_minutes: How long a claim lasts without a sign of work; 0 for ever.
        opens_next: What of it opens the stages after it, of a drawing stage.
        goes_down_on: Quality scores with which a review sends a case down the ladder.
        goes_down_to: The drawing stage to which they send it, where it is drawn afresh; empty for none.
        may_correct: Whether a reviewer may correct the mask and approve it.
        largest_correction: Largest share of the tumour's voxels that a reviewer's own correction may change for it to
            be approved by themselves.
        gives_feedback: Whether an annotator is told at once how a hidden test case went.
        hints: How many places of a test case they are shown at most.
        pause_below: Mean Dice of a person's last test cases below which they get no further work; 0 for never.
    """

    name: str
    title: str
    done_by: str
    unit: str = "case"
    readers: int = 1
    is_blind: bool = False
    is_by_another: bool = False
    after: tuple[str, ...] = ()
    returns_to: str = ""
    does: StageWork = StageWork.REVIEW
    method: DrawingMethod = DrawingMethod.AS_PEOPLE_LIKE
    slices: WantedSlices = WantedSlices.ALL
    piece: int = 0
    assignment: AssignedBy = AssignedBy.OPEN
    lease_minutes: int = 60
    opens_next: OpensNext = OpensNext.ANY_SLICE
    goes_down_on: tuple[QualityScore, ...] = ()
    goes_down_to: str = ""
    may_correct: bool = False
    largest_correction: float = 0.05
    gives_feedback: bool = False
    hints: int = 3
    pause_below: float = 0.0

    @property
    def draws(self) -> bool:
        """Whether masks are drawn in it."""
        return self.does is StageWork.DRAW

    @property
    def keeps_readings(self) -> bool:
        """Whether what its people draw is kept apart, each mask on its own, until somebody decides between them."""
        return self.draws and self.readers > 1

    @property
    def is_automatic(self) -> bool:
        """Whether a model does it by itself."""
        return self.done_by == BY_A_MODEL

    @property
    def hides_models(self) -> bool:
        """Whether its people see no model's mask and get no answer to a prompt."""
        return self.is_blind or self.method is DrawingMethod.MANUAL

    def as_document(self) -> dict[str, Any]:
        """As plain values for JSON; what was added to stages later is left out where it says nothing new.

        So the digest of a document of an earlier version stays the same.
        """
        usual = {field.name: field.default for field in fields(self) if field.name in _ADDED}
        document = asdict(self)
        if self.does is usual_work(self.unit):
            usual["does"] = self.does
        if self.assignment is usual_assignment(self.does):
            usual["assignment"] = self.assignment
        return {name: value for name, value in document.items() if name not in usual or value != usual[name]}


_ADDED = (
    *("does", "method", "slices", "piece", "assignment", "lease_minutes", "opens_next", "goes_down_on"),
    *("goes_down_to", "may_correct", "largest_correction", "gives_feedback", "hints", "pause_below"),
)
"""Fields that the stages of the first protocols did not have."""


def usual_work(unit: str) -> StageWork:
    """What is done in a stage that does not say: slices are drawn, cases are reviewed."""
    return StageWork.DRAW if unit == "slice" else StageWork.REVIEW


def usual_assignment(does: StageWork) -> AssignedBy:
    """How people come to the work of a stage that does not say: drawing is claimed, other work is open."""
    return AssignedBy.CLAIM if does is StageWork.DRAW else AssignedBy.OPEN


DEFAULT_STAGES = (
    Stage("annotate", "Drawing", "annotator", unit="slice", does=StageWork.DRAW, assignment=AssignedBy.CLAIM),
    Stage("review", "Review", "radiologist", after=("annotate",), returns_to="annotate"),
)
"""The stages of a protocol that names none."""
