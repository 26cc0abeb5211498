"""The judgement of a series in a role: rules, each giving points and a reason in plain words.

The points of two series that are both right lie close together, however much or little their headers say: evidence is
not added up, the surest of a kind counts. So `curation.pairing.pairing` can ask for a margin before it decides.
"""

from dataclasses import dataclass

PLAUSIBLE_SCORE = 4
"""A series with fewer points is not chosen: less than one sign of its weighting in an axial stack."""

REFUSED = -20
"""Points of a rule that excludes a series: more than everything else together."""


@dataclass(frozen=True)
class Reason:
    """One rule's contribution.

    Args:
        points: For (positive) or against (negative).
        words: Why, in plain words without anything a person typed.
        refusal: Code of the rule that excludes the series; empty otherwise.
    """

    points: int
    words: str
    refusal: str = ""

    def __str__(self) -> str:
        return f"{self.words} ({self.points:+d})"


@dataclass(frozen=True)
class Judgement:
    """The judgement of one series in one role.

    Args:
        given: What every rule contributed, in order.
    """

    given: tuple[Reason, ...] = ()

    @property
    def score(self) -> int:
        """Its points."""
        return sum(reason.points for reason in self.given)

    @property
    def reasons(self) -> tuple[str, ...]:
        """A rule each, with its points."""
        return tuple(map(str, self.given))

    @property
    def refusals(self) -> tuple[str, ...]:
        """Codes of the rules that exclude it from the role whatever its points."""
        return tuple(reason.refusal for reason in self.given if reason.refusal)

    @property
    def is_plausible(self) -> bool:
        """Whether the series may be chosen."""
        return self.score >= PLAUSIBLE_SCORE and not self.refusals

    def and_also(self, *reasons: Reason) -> "Judgement":
        """This judgement with further reasons."""
        return Judgement((*self.given, *reasons))

    def without(self, refusal: str) -> "Judgement":
        """This judgement without the rule of a refusal, where other series say that it was wrong."""
        return Judgement(tuple(reason for reason in self.given if reason.refusal != refusal))
