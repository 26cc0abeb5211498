"""The candidates for each role among a patient's judged series, and the rows of reports about all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from curation.pairing.series_choice import CHOSEN_BY_PERSON, ConsideredSeries, spoken
from curation.scanning.found_series import FoundSeries
from curation.series.judgement import Judgement, Reason
from curation.series.kind import KIND_OF_REFUSAL
from curation.series.ranking import JudgedSeries
from datasets.finding import Finding, Level
from datasets.image.volume import Grid
from datasets.study.protocol import ImageRole


@dataclass(frozen=True, eq=False)
class Candidate:
    """A series that may take a role: plausible, or chosen by a person, and a sound stack of slices."""

    series: FoundSeries
    judgement: Judgement
    grid: Grid
    is_by_person: bool = False

    @property
    def score(self) -> int:
        """Its points."""
        return self.judgement.score

    def __str__(self) -> str:
        return f"{self.series.reference} ({self.score} points)"


def candidates_for(
    image: ImageRole, judged: list[JudgedSeries], who: str, *, chosen: str = ""
) -> tuple[list[Candidate], list[Finding]]:
    """The candidates for a role, and findings about those that are no sound stacks.

    Args:
        image: The role.
        judged: All series of the patient.
        who: How reports name the patient.
        chosen: Reference of the series that a person chose; it is then the only candidate, whatever the rules say.
    """
    if chosen:
        fitting = [one for one in judged if one.series.reference == chosen]
        if not fitting:
            return [], [_choice_absent(image, who)]
    else:
        fitting = [one for one in judged if one.fits(image.name)]
    unsound = [(one, one.unsound) for one in fitting]
    findings = [
        Finding(Level.ERROR, error.code, error.message, error.remedy, f"{who}, series {one.series.reference}")
        for one, error in unsound
        if error is not None
    ]
    found = [
        Candidate(one.series, _said(one, image.name, chosen), one.series.grid, is_by_person=bool(chosen))
        for one, error in unsound
        if error is None
    ]
    return found, findings


def considered(judged: list[JudgedSeries], roles: Mapping[str, str]) -> tuple[ConsideredSeries, ...]:
    """The rows of reports about every series.

    Args:
        judged: All series of the patient.
        roles: Reference of a chosen series to its role.
    """
    return tuple(
        ConsideredSeries(
            reference=one.series.reference,
            kind=one.kind,
            plane=one.series.evidence.plane,
            slice_count=one.series.evidence.slice_count,
            scores={role: judgement.score for role, judgement in one.judgements.items()},
            reasons={role: judgement.reasons for role, judgement in one.judgements.items()},
            left_out=_left_out(one),
            chosen_as=roles.get(one.series.reference),
            number=one.series.evidence.series_number,
        )
        for one in judged
    )


def _said(one: JudgedSeries, role: str, chosen: str) -> Judgement:
    judgement = one.judgements[role]
    return replace(judgement, given=(ChosenByPerson(0, CHOSEN_BY_PERSON), *judgement.given)) if chosen else judgement


class ChosenByPerson(Reason):
    """A person's word, which has no points."""

    def __str__(self) -> str:
        return self.words


def _left_out(one: JudgedSeries) -> tuple[str, ...]:
    """Why a series can take no role, its unsound geometry included; () for a candidate."""
    codes: dict[str, None] = {}
    if not any(map(one.fits, one.judgements)):
        codes = {code: None for judgement in one.judgements.values() for code in judgement.refusals}
        codes = {code: None for code in codes if code in KIND_OF_REFUSAL} or codes or {"lesser-of-its-kind": None}
    if one.unsound is not None:
        codes[one.unsound.code] = None
    return tuple(codes)


def _choice_absent(image: ImageRole, who: str) -> Finding:
    return Finding(
        Level.ERROR,
        "choice-absent",
        f"The {spoken(image.name)} series that a person chose is not in the folder.",
        "Add that series to the folder, or choose again.",
        who,
    )
