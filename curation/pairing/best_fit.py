"""Of each role's candidates, those that fit together: the image that is drawn on, and for each other the best with it.

A wrong choice costs more than a question: it is made only where it leads every other by `MARGIN` points.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from curation.pairing import together
from curation.pairing.candidates import Candidate
from curation.pairing.series_choice import spoken
from curation.pairing.together import COVERED, LEAST_OVERLAP, UNCOVERED, Two
from datasets.finding import Finding, Level
from datasets.study.protocol import PlacedBy, Protocol

MARGIN = 4
"""Points by which images that fit together must lead the next ones. Two series that are both right differ by up to 3
points, by how much evidence their headers hold: 5 for times that the description confirms or 3 for a description alone,
and 1 for ten or more slices. A plainly worse one (`curation.series.ranking.BESIDE_A_BETTER_ONE`) falls behind by 5 at
least."""

CHOOSE = "Choose the series that are meant, or leave only those in the folder, and ingest again."

Usable = Mapping[str, Sequence[Candidate]]
Chosen = dict[str, Candidate]


@dataclass(frozen=True)
class Partners:
    """One candidate for the image that is drawn on, and the candidates for each other role that go with it."""

    anchor: Candidate
    by_role: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether every role has a candidate left."""
        return all(self.by_role.values())

    @property
    def most(self) -> int:
        """The points of the best of them."""
        return self.anchor.score + sum(max(one.score for one in found) for found in self.by_role.values())

    def of_one_visit(self) -> "Partners":
        """Only those of the anchor's own study."""
        return self.where(lambda role, pair: together.is_one_study(pair))

    def where(self, is_fitting: Callable[[str, Two], bool]) -> "Partners":
        """Only those that fit the anchor."""
        kept = {
            role: tuple(one for one in found if is_fitting(role, (self.anchor, one)))
            for role, found in self.by_role.items()
        }
        return Partners(self.anchor, kept)


def fit_together(usable: Usable, protocol: Protocol, anchor: str, who: str) -> Chosen | Finding:
    """The candidates that lead all others of their visit, or a finding that asks a person to choose.

    Args:
        usable: Each role's candidates, of which there is one at least, in the protocol's order.
        protocol: The study's.
        anchor: The role that is drawn on.
        who: How reports name the patient.
    """
    asks = _Asks(usable, protocol, who)
    others = [role for role in usable if role != anchor]
    found = [Partners(one, {role: _but(usable[role], one) for role in others}) for one in usable[anchor]]
    if not any(one.is_whole for one in found):
        return asks.because("ambiguous-series", f"one series may be {_one_of_all(usable)}", list_all=False)
    if all(one.is_by_person for candidates in usable.values() for one in candidates):
        chosen = {anchor: found[0].anchor, **{role: found[0].by_role[role][0] for role in others}}
        return _distinct({role: chosen[role] for role in usable}, asks)
    visits = {one.anchor.series.study_key for one in found if one.of_one_visit().is_whole}
    if len(visits) > 1:
        return asks.because("several-studies", f"{len(visits)} studies have {_all_of(usable)}", found)
    same_visit = _whole(one.of_one_visit() if visits else one.where(_is_one_visit) for one in found)
    if not same_visit:
        return asks.because("different-studies", "they are in different studies", found)
    placed = _whole(one.where(lambda role, pair: _is_placed(protocol, role, pair)) for one in same_visit)
    if not placed:
        why = "their headers give no common frame of reference, by which one would be placed on the other"
        return asks.because("no-common-frame", why, same_visit)
    same_place = _whole(one.where(lambda role, pair: not together.is_elsewhere(pair)) for one in placed)
    if not same_place:
        return asks.because("different-places", "their headers name two parts of the body", placed)
    overlapping = _whole(
        one.where(lambda role, pair: together.shared_part(pair) >= LEAST_OVERLAP) for one in same_place
    )
    if not overlapping:
        return asks.because("no-overlap", "they show different parts of the body", same_place)
    return _leading(_covering(overlapping), usable, anchor, asks)


class _Asks:
    """Words the question of one patient."""

    def __init__(self, usable: Usable, protocol: Protocol, who: str) -> None:
        self._roles = tuple(role for role in protocol.roles if role in usable)
        self._usable = usable
        self._who = who
        self._wanted = spoken(*self._roles)
        if len(self._roles) > 1:
            self._wanted = f"{'pair' if len(self._roles) == 2 else 'set'} of {self._wanted}"

    def because(self, code: str, why: str, found: Iterable[Partners] = (), *, list_all: bool = True) -> Finding:
        """The finding, with every candidate and its points."""
        listed = f": {self._listed(found)}" if list_all else ""
        message = f"No single {self._wanted} fits best: {why}{listed}."
        return Finding(Level.ERROR, code, message, CHOOSE, self._who)

    def which(self, close: Mapping[str, Sequence[Candidate]]) -> Finding:
        """The finding that several are about as good."""
        several = [role for role, found in close.items() if len(found) > 1]
        of_many = "ambiguous-pair" if len(self._roles) == 2 else "ambiguous-images"
        code = f"ambiguous-{several[0]}" if len(several) == 1 else of_many
        message = f"No single {self._wanted} fits best: several fit about as well: {self._each(close)}."
        return Finding(Level.ERROR, code, message, CHOOSE, self._who)

    def _listed(self, found: Iterable[Partners]) -> str:
        members: dict[str, list[Candidate]] = {role: [] for role in self._roles}
        for one in found:
            if one.is_whole:
                for role in self._roles:
                    members[role] += one.by_role.get(role, (one.anchor,))
        return self._each(members)

    def _each(self, members: Mapping[str, Sequence[Candidate]]) -> str:
        """The candidates of each role, in the order of the files."""
        listed = {role: [one for one in self._usable[role] if one in members[role]] for role in self._roles}
        return ", ".join(
            f"{spoken(role)} series {' and '.join(dict.fromkeys(map(str, candidates)))}"
            for role, candidates in listed.items()
        )


def _but(candidates: Sequence[Candidate], anchor: Candidate) -> tuple[Candidate, ...]:
    return tuple(one for one in candidates if one.series is not anchor.series)


def _whole(found: Iterable[Partners]) -> list[Partners]:
    return [one for one in found if one.is_whole]


def _is_one_visit(role: str, pair: Two) -> bool:
    return together.is_one_study(pair) or together.is_one_day(pair)


def _is_placed(protocol: Protocol, role: str, pair: Two) -> bool:
    """Whether an image finds its place on the drawn one: where the headers must say it, they or a person do."""
    if any(candidate.is_by_person for candidate in pair):
        return True
    return protocol.image(role).placed_by is not PlacedBy.HEADERS or together.is_placed_by_headers(pair)


def _covering(found: list[Partners]) -> list[Partners]:
    """Without those of whose slices too few are covered, where others are covered well; all where none is left."""
    well = {
        role
        for one in found
        for role, candidates in one.by_role.items()
        if any(together.covered(one.anchor.series, other.series) >= COVERED for other in candidates)
    }
    kept = _whole(
        one.where(lambda role, pair: role not in well or together.covered(pair[0].series, pair[1].series) >= UNCOVERED)
        for one in found
    )
    return kept or found


def _leading(found: list[Partners], usable: Usable, anchor: str, asks: _Asks) -> Chosen | Finding:
    """The one of each role that leads all others, or the question which."""
    most = max(one.most for one in found)
    close: dict[str, dict[Candidate, None]] = {role: {} for role in usable}
    for one in found:
        if most - one.most < MARGIN:
            close[anchor][one.anchor] = None
        for role, candidates in one.by_role.items():
            best = max(candidate.score for candidate in candidates)
            near = [other for other in candidates if most - (one.most - best + other.score) < MARGIN]
            close[role].update(dict.fromkeys(near))
    members = {role: tuple(candidates) for role, candidates in close.items()}
    if any(len(candidates) > 1 for candidates in members.values()):
        return asks.which(members)
    return _distinct({role: candidates[0] for role, candidates in members.items()}, asks)


def _distinct(chosen: Chosen, asks: _Asks) -> Chosen | Finding:
    """The choice, or the question where one series would be two images."""
    for one, other in combinations(chosen, 2):
        if chosen[one].series is chosen[other].series:
            why = f"one series may be {_one_of_all([one, other])}"
            return asks.because("ambiguous-series", why, list_all=False)
    return chosen


def _one_of_all(roles: Iterable[str]) -> str:
    return " as well as ".join(f"the {spoken(role)}" for role in roles)


def _all_of(usable: Usable) -> str:
    return {1: "one", 2: "both"}.get(len(usable), "all of them")
