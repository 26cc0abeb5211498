"""The series of one patient as candidates for T1 and T2: judged one by one, then beside each other."""

from collections.abc import Mapping
from dataclasses import dataclass

from curation.found_series import FoundSeries
from curation.series_choice import CHOSEN_BY_PERSON, ConsideredSeries
from curation.series_evidence import Judgement, judge, kind_of
from curation.series_kind import SeriesKind
from datasets.case import SeriesRole
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.volume import Grid


@dataclass(frozen=True)
class JudgedSeries:
    """One series and what the rules say of it in each role."""

    series: FoundSeries
    kind: SeriesKind
    judgements: Mapping[SeriesRole, Judgement]

    def fits(self, role: SeriesRole) -> bool:
        """Whether it may be chosen for the role."""
        return self.judgements[role].is_plausible and (self.series.named_role or role) is role


@dataclass(frozen=True)
class Candidate:
    """A series that may take a role: plausible, or chosen by a person, and a sound stack of slices."""

    series: FoundSeries
    judgement: Judgement
    grid: Grid
    is_by_person: bool = False

    def __str__(self) -> str:
        return f"{self.series.reference} ({self.judgement.score} points)"


def judge_patient(series: list[FoundSeries]) -> list[JudgedSeries]:
    """Every series of one patient with its kind and its points in both roles."""
    return [
        JudgedSeries(found, kind_of(found.evidence), {role: judge(found.evidence, role) for role in SeriesRole})
        for found in series
    ]


def candidates_for(
    role: SeriesRole, judged: list[JudgedSeries], who: str, *, chosen: str = ""
) -> tuple[list[Candidate], list[Finding]]:
    """The candidates for a role, and what is wrong with those that are no sound stacks.

    Args:
        role: T1 or T2.
        judged: All series of the patient.
        who: How reports name the patient.
        chosen: Reference of the series that a person chose; it is then the only candidate, whatever the rules say.
    """
    if chosen:
        fitting = [one for one in judged if one.series.reference == chosen]
        if not fitting:
            return [], [_choice_absent(role, who)]
    else:
        fitting = [one for one in judged if one.fits(role)]
    found: list[Candidate] = []
    findings: list[Finding] = []
    for one in fitting:
        try:
            found.append(Candidate(one.series, _said(one, role, chosen), one.series.grid, is_by_person=bool(chosen)))
        except RejectedInput as error:
            subject = f"{who}, series {one.series.reference}"
            findings.append(Finding(Level.ERROR, error.code, error.message, error.remedy, subject))
    return found, findings


def considered(judged: list[JudgedSeries], roles: Mapping[str, SeriesRole]) -> tuple[ConsideredSeries, ...]:
    """What reports show of every series.

    Args:
        judged: All series of the patient.
        roles: Reference of a chosen series to its role.
    """
    return tuple(
        ConsideredSeries(
            reference=one.series.reference,
            kind=one.kind,
            plane=one.series.evidence.orientation,
            slice_count=one.series.evidence.slice_count,
            scores={role: judgement.score for role, judgement in one.judgements.items()},
            reasons={role: judgement.reasons for role, judgement in one.judgements.items()},
            left_out=_left_out(one),
            chosen_as=roles.get(one.series.reference),
        )
        for one in judged
    )


def _said(one: JudgedSeries, role: SeriesRole, chosen: str) -> Judgement:
    judgement = one.judgements[role]
    return Judgement(judgement.score, (CHOSEN_BY_PERSON, *judgement.reasons)) if chosen else judgement


def _left_out(one: JudgedSeries) -> tuple[str, ...]:
    """Why a series can take neither role, its unsound geometry included; () for a candidate."""
    codes: dict[str, None] = {}
    if not any(map(one.fits, SeriesRole)):
        codes = {code: None for judgement in one.judgements.values() for code in judgement.refusals}
        codes = codes or {"not-recognised": None}
    try:
        _ = one.series.grid
    except RejectedInput as error:
        codes[error.code] = None
    return tuple(codes)


def _choice_absent(role: SeriesRole, who: str) -> Finding:
    return Finding(
        Level.ERROR,
        "choice-absent",
        f"Expected the {role.value.upper()} series that a person chose, got none of that reference.",
        "Add that series to the folder, or choose again.",
        who,
    )
