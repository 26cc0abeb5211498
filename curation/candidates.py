"""The series of one patient as candidates for T1 and T2: judged one by one, then beside each other."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from curation.found_series import FoundSeries
from curation.header_physics import is_gradient_echo, is_single_shot
from curation.overlap import share_inside
from curation.series_choice import CHOSEN_BY_PERSON, ConsideredSeries
from curation.series_evidence import (
    REFUSED,
    Judgement,
    Reason,
    is_contrast_enhanced,
    is_fat_suppressed,
    judge,
    kind_of,
    words_of,
)
from curation.series_kind import KIND_OF_REFUSAL, SeriesKind
from datasets.case import SeriesRole
from datasets.dicom_header import SeriesEvidence
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.series_relations import same_acquisition
from datasets.volume import Grid

BESIDE_A_BETTER_ONE = -8
"""Points of a series beside which there is a plainly better one of its kind: more than the evidence of two series that
are both right may differ by, and `curation.pairing.MARGIN` on top."""

INCOMPLETE_BELOW = 0.7
"""A repeat that covers less than this share of another with the same pixels was broken off."""

_CONTAINED = 0.9


@dataclass(frozen=True)
class JudgedSeries:
    """One series and what the rules say of it in each role."""

    series: FoundSeries
    kind: SeriesKind
    judgements: Mapping[SeriesRole, Judgement]

    def fits(self, role: SeriesRole) -> bool:
        """Whether it may be chosen for the role."""
        return self.judgements[role].is_plausible and (self.series.named_role or role) is role

    def and_also(self, role: SeriesRole, reason: Reason) -> "JudgedSeries":
        """This series with a further reason in one role, which may also say what kind it is."""
        return replace(
            self,
            kind=KIND_OF_REFUSAL.get(reason.refusal, self.kind),
            judgements={**self.judgements, role: self.judgements[role].and_also(reason)},
        )

    @cached_property
    def unsound(self) -> RejectedInput | None:
        """Why it is no sound stack of slices; None where it is."""
        try:
            _ = self.series.grid
        except RejectedInput as error:
            return error
        return None


@dataclass(frozen=True)
class Candidate:
    """A series that may take a role: plausible, or chosen by a person, and a sound stack of slices."""

    series: FoundSeries
    judgement: Judgement
    grid: Grid
    is_by_person: bool = False

    def __str__(self) -> str:
        return f"{self.series.reference} ({self.judgement.score} points)"


def judge_patient(series: Sequence[FoundSeries]) -> list[JudgedSeries]:
    """Every series of one patient with its kind and its points in both roles, in the order given."""
    judged = [
        JudgedSeries(found, kind_of(found.evidence), {role: judge(found.evidence, role) for role in SeriesRole})
        for found in series
    ]
    for role in SeriesRole:
        for rule in (_diffusion, _after_contrast, _preferences, _broken_off, _copies):
            for index, reason in rule(judged, role):
                judged[index] = judged[index].and_also(role, reason)
    return judged


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
    unsound = [(one, one.unsound) for one in fitting]
    findings = [
        Finding(Level.ERROR, error.code, error.message, error.remedy, f"{who}, series {one.series.reference}")
        for one, error in unsound
        if error is not None
    ]
    found = [
        Candidate(one.series, _said(one, role, chosen), one.series.grid, is_by_person=bool(chosen))
        for one, error in unsound
        if error is None
    ]
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


_Additions = Iterator[tuple[int, Reason]]


def _of_studies(judged: Sequence[JudgedSeries]) -> list[list[int]]:
    """The places of the series of each study."""
    studies: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(judged):
        studies[one.series.study_key].append(index)
    return list(studies.values())


def _diffusion(judged: Sequence[JudgedSeries], role: SeriesRole) -> _Additions:
    """A b-value of zero, where other series of the study give none: the images without weighting of a diffusion series.

    They are echo-planar, T2-weighted and fat-suppressed, and Philips' classic headers call them spin echoes.
    """
    for study in _of_studies(judged):
        gives = {index for index in study if judged[index].series.evidence.b_value is not None}
        if len(gives) < len(study):
            for index in gives:
                if judged[index].fits(role):
                    yield index, Reason(REFUSED, "diffusion: a b-value of zero beside series without", "diffusion")


def _after_contrast(judged: Sequence[JudgedSeries], role: SeriesRole) -> _Additions:
    """A T1 taken after a contrast agent was given shows it, whether or not its own header says so.

    Only where the times can be trusted: an examination begins with its localizer, so one whose times say otherwise has
    lost them.
    """
    if role is not SeriesRole.T1:
        return
    for study in _of_studies(judged):
        times = {index: time for index in study if (time := judged[index].series.acquired) is not None}
        scouts = [time for index, time in times.items() if judged[index].kind is SeriesKind.LOCALIZER]
        given = [time for index, time in times.items() if _shows_agent(judged[index])]
        if not scouts or not given or min(scouts) > min(times.values()) or min(given) == min(times.values()):
            continue
        for index, time in times.items():
            if time > min(given) and judged[index].fits(role):
                yield index, Reason(REFUSED, "taken after a contrast agent was given", "contrast-enhanced")


def _shows_agent(one: JudgedSeries) -> bool:
    return is_contrast_enhanced(one.series.evidence) and one.series.evidence.image_type[:1] != ("DERIVED",)


_PREFERENCES: tuple[tuple[SeriesRole, Callable[[SeriesEvidence], bool], str], ...] = (
    (SeriesRole.T1, lambda evidence: not is_gradient_echo(evidence), "a gradient echo beside a spin echo"),
    (SeriesRole.T2, is_fat_suppressed, "not fat-suppressed beside one that is"),
    (SeriesRole.T2, lambda evidence: not is_contrast_enhanced(evidence), "contrast-enhanced beside one that is not"),
    (
        SeriesRole.T2,
        lambda evidence: not (is_single_shot(evidence) or words_of(evidence).single_shot),
        "single-shot beside one that is not",
    ),
)
"""Of two candidates in one study, what makes one plainly the better."""


def _preferences(judged: Sequence[JudgedSeries], role: SeriesRole) -> _Additions:
    for own_role, is_better, words in _PREFERENCES:
        for study in _of_studies(judged):
            fitting = [index for index in study if own_role is role and judged[index].fits(role)]
            better = {index for index in fitting if is_better(judged[index].series.evidence)}
            if better:
                yield from ((index, Reason(BESIDE_A_BETTER_ONE, words)) for index in fitting if index not in better)


def _broken_off(judged: Sequence[JudgedSeries], role: SeriesRole) -> _Additions:
    """A shorter stack inside a longer one with the same pixels is a repeat that was broken off."""
    for study in _of_studies(judged):
        fitting = [index for index in study if judged[index].fits(role) and judged[index].unsound is None]
        for index in fitting:
            if any(_is_part_of(judged[index].series, judged[other].series) for other in fitting if other != index):
                yield index, Reason(BESIDE_A_BETTER_ONE, "covers a part of what another with the same pixels covers")


def _is_part_of(one: FoundSeries, whole: FoundSeries) -> bool:
    if not one.frame_of_reference or one.frame_of_reference != whole.frame_of_reference:
        return False
    small, large = one.grid, whole.grid
    same_pixels = small.shape[:2] == large.shape[:2] and small.spacing[:2] == large.spacing[:2]
    is_shorter = small.shape[2] * small.spacing[2] < INCOMPLETE_BELOW * large.shape[2] * large.spacing[2]
    return same_pixels and is_shorter and share_inside(small, large) >= _CONTAINED


def _copies(judged: Sequence[JudgedSeries], role: SeriesRole) -> _Additions:
    """The same images once as classic and once as enhanced DICOM are one candidate: the one that comes first."""
    for study in _of_studies(judged):
        fitting = [index for index in study if judged[index].fits(role)]
        for place, index in enumerate(fitting):
            dicom = judged[index].series.dicom
            earlier = [judged[other].series.dicom for other in fitting[:place]]
            if dicom is not None and any(other is not None and same_acquisition(other, dicom) for other in earlier):
                yield index, Reason(BESIDE_A_BETTER_ONE, "the same images as another series")


def _said(one: JudgedSeries, role: SeriesRole, chosen: str) -> Judgement:
    judgement = one.judgements[role]
    return replace(judgement, reasons=(CHOSEN_BY_PERSON, *judgement.reasons)) if chosen else judgement


def _left_out(one: JudgedSeries) -> tuple[str, ...]:
    """Why a series can take neither role, its unsound geometry included; () for a candidate."""
    codes: dict[str, None] = {}
    if not any(map(one.fits, SeriesRole)):
        codes = {code: None for judgement in one.judgements.values() for code in judgement.refusals}
        codes = {code: None for code in codes if code in KIND_OF_REFUSAL} or codes or {"lesser-of-its-kind": None}
    if one.unsound is not None:
        codes[one.unsound.code] = None
    return tuple(codes)


def _choice_absent(role: SeriesRole, who: str) -> Finding:
    return Finding(
        Level.ERROR,
        "choice-absent",
        f"Expected the {role.value.upper()} series that a person chose, got none of that reference.",
        "Add that series to the folder, or choose again.",
        who,
    )
