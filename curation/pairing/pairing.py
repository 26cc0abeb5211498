"""Pairs an axial T1 with an axial fat-suppressed T2 of each patient, and gives the reasons.

A wrong pair costs more than a question: a pair is made only where it leads every other by `MARGIN` points. Otherwise
the patient is named in a finding, with every candidate and its points, and a person chooses. A person's choice
stands, whatever the points.
"""

from collections.abc import Iterator, Mapping
from itertools import product

from curation.pairing.body_places import other_region, other_side
from curation.pairing.candidates import Candidate, candidates_for, considered
from curation.pairing.masks import LoadedPair, assign_masks, load_pair, masks_without_series
from curation.pairing.patient_identity import identity_problem
from curation.pairing.series_choice import (
    Choices,
    ConsideredSeries,
    Pairing,
    PatientPair,
    PatientSummary,
    SeriesChoice,
)
from curation.scanning.case_table import CaseDescription
from curation.scanning.found_series import FolderScan, FoundSeries
from curation.series.ranking import JudgedSeries, judge_patient
from curation.series.role_rules import Reason, is_contrast_enhanced, is_fat_suppressed
from datasets.finding import Finding, Level
from datasets.image.overlap import overlap, share_of_slices
from datasets.study.case import SeriesRole

__all__ = [
    "Choices", "ConsideredSeries", "LoadedPair", "Pairing", "PatientPair", "PatientSummary", "SeriesChoice",
    "load_pair", "pair_series",
]  # fmt: skip

MARGIN = 4
"""Points by which a pair must lead the next one. Two series that are both right differ by up to 3 points, by how much
evidence their headers hold: 5 for times that the description confirms or 3 for a description alone, and 1 for ten or
more slices. A plainly worse one (`curation.series.ranking.BESIDE_A_BETTER_ONE`) falls behind by 5 at least."""

LEAST_OVERLAP = 0.5
"""T1 and T2 of one frame of reference must show the same part of the body: at least this share of the smaller one.
The stations of a long limb share some slices, a fifth at most."""

COVERED = 0.8
UNCOVERED = 0.5
"""A pair in which each covers so many of the other's slices sets aside one in which one covers fewer than half: a stack
through a part of the tumour is no partner where there is one through all of it."""

HAS_PARTNER = 8
"""Points of a series that makes a pair, where others as good make none: in another study, elsewhere in the body, or
with too few of its partner's slices."""

_CHOOSE = "Choose the series that are meant, or leave only those in the folder, and ingest again."

Chosen = tuple[Candidate, Candidate]


def pair_series(scan: FolderScan, *, choices: Choices | None = None) -> Pairing:
    """Chooses each patient's T1 and T2 by the points of `curation.series.role_rules`; never one series for both roles.

    Digests of the chosen files are computed, so this reads them.

    Args:
        scan: What the folder holds.
        choices: Patient key to role to the reference of the series that a person chose. Such a series is taken
            whatever its points, unless it is no sound stack of slices; where it is absent the patient gets no pair and
            the finding ``choice-absent``. It overrides `cases.csv`. Patients who are not in the folder are ignored,
            so all stored choices may be given.
    """
    pairs: list[PatientPair] = []
    findings: list[Finding] = []
    patients: list[PatientSummary] = []
    for patient_key in scan.patient_keys:
        chosen = {**scan.choices.get(patient_key, {}), **(choices or {}).get(patient_key, {})}
        judged = judge_patient([found for found in scan.series if found.patient_key == patient_key])
        best, said = _choose(judged, chosen, scan.patient_reference(patient_key))
        pair = _pair(scan, patient_key, judged, best) if best else None
        if pair is not None and _is_one_source(pair):
            pair, said = None, [*said, _identical(scan.patient_reference(patient_key))]
        if pair is None:
            masks = [mask for mask in scan.masks if mask.patient_key == patient_key]
            said += masks_without_series(masks, [one.series for one in judged], scan.patient_reference(patient_key))
        pairs += [pair] if pair else []
        findings += said
        patients.append(_summary(scan, patient_key, judged, pair=pair, said=said))
    return Pairing(tuple(pairs), tuple(findings), tuple(patients))


def _summary(
    scan: FolderScan, patient_key: str, judged: list[JudgedSeries], *, pair: PatientPair | None, said: list[Finding]
) -> PatientSummary:
    roles = {choice.series.reference: role for role, choice in pair.by_role.items()} if pair else {}
    return PatientSummary(
        reference=scan.patient_reference(patient_key),
        patient_key=patient_key,
        considered=considered(judged, roles),
        findings=(*said, *(pair.findings if pair else ())),
        has_pair=pair is not None,
    )


def _choose(
    judged: list[JudgedSeries], chosen: Mapping[SeriesRole, str], who: str
) -> tuple[Chosen | None, list[Finding]]:
    findings: list[Finding] = []
    usable: dict[SeriesRole, list[Candidate]] = {}
    for role in SeriesRole:
        usable[role], said = candidates_for(role, judged, who, chosen=chosen.get(role, ""))
        findings += [finding for finding in said if finding not in findings]
        if not usable[role] and not chosen.get(role):
            findings.append(_none_plausible(role, judged, who))
    if not all(usable.values()):
        return None, findings
    best = _best_pair(list(product(usable[SeriesRole.T1], usable[SeriesRole.T2])), who)
    if not isinstance(best, Finding):
        by_person = [candidate.series for candidate in best if all(one.is_by_person for one in best)]
        best = identity_problem([one.series for one in judged], by_person, who) or best
    return (None, [*findings, best]) if isinstance(best, Finding) else (best, findings)


def _pair(scan: FolderScan, patient_key: str, judged: list[JudgedSeries], best: Chosen) -> PatientPair:
    who = scan.patient_reference(patient_key)
    masks = [mask for mask in scan.masks if mask.patient_key == patient_key]
    roles = {role: candidate.series for role, candidate in zip(SeriesRole, best, strict=True)}
    assigned, mask_findings = assign_masks(masks, [one.series for one in judged], roles, who)
    return PatientPair(
        reference=who,
        patient_key=patient_key,
        t1=_choice(best[0], best[1], SeriesRole.T1, judged=judged),
        t2=_choice(best[1], best[0], SeriesRole.T2, judged=judged),
        masks=tuple(assigned),
        description=scan.descriptions.get(patient_key, CaseDescription()),
        findings=(*_doubts(*best, who), *mask_findings),
    )


def _best_pair(pairs: list[Chosen], who: str) -> Chosen | Finding:
    """The pair that leads all others of its visit, or a finding that asks a person to choose."""
    pairs = [pair for pair in pairs if pair[0].series is not pair[1].series]
    if not pairs:
        return _ambiguous("ambiguous-series", "one series may be the T1 as well as the T2", who)
    if all(candidate.is_by_person for candidate in pairs[0]):
        return pairs[0]
    visits = {pair[0].series.study_key for pair in pairs if _is_one_study(pair)}
    if len(visits) > 1:
        return _ambiguous("several-studies", f"{len(visits)} studies have both: {_listed(pairs)}", who)
    same_visit = [pair for pair in pairs if (_is_one_study(pair) if visits else _is_one_day(pair))]
    if not same_visit:
        return _ambiguous("different-studies", f"they are in different studies: {_listed(pairs)}", who)
    same_place = [pair for pair in same_visit if not _is_elsewhere(pair)]
    if not same_place:
        return _ambiguous("different-places", f"their headers name two parts of the body: {_listed(same_visit)}", who)
    overlapping = [pair for pair in same_place if _overlap(pair) >= LEAST_OVERLAP]
    if not overlapping:
        return _ambiguous("no-overlap", f"they show different parts of the body: {_listed(same_place)}", who)
    is_covered = any(_coverage(pair) >= COVERED for pair in overlapping)
    covered = [pair for pair in overlapping if not is_covered or _coverage(pair) >= UNCOVERED]
    most = max(map(_points, covered))
    close = [pair for pair in covered if most - _points(pair) < MARGIN]
    return close[0] if len(close) == 1 else _too_close(close, who)


def _is_one_source(pair: PatientPair) -> bool:
    """Whether both series are copies of the same bytes; two stacks of one file are not."""
    is_one_file = pair.t1.series.dicom is not None and pair.t1.series.files == pair.t2.series.files
    return pair.t1.source_sha256 == pair.t2.source_sha256 and not is_one_file


def _identical(who: str) -> Finding:
    message = "T1 and T2 are the same images."
    return Finding(Level.ERROR, "series-identical", message, "Find out which it is, and add the other.", who)


def _is_one_study(pair: Chosen) -> bool:
    return pair[0].series.study_key == pair[1].series.study_key


def _is_one_day(pair: Chosen) -> bool:
    """Whether two studies are one visit that was filed twice."""
    frames = {candidate.series.frame_of_reference for candidate in pair}
    days = {candidate.series.acquired and candidate.series.acquired.date() for candidate in pair}
    return (len(frames) == 1 and "" not in frames) or (len(days) == 1 and None not in days)


def _is_elsewhere(pair: Chosen) -> bool:
    """Whether the headers name two sides, or two regions where there is no common frame of reference."""
    one, other = (candidate.series for candidate in pair)
    is_other = not _share_a_frame(one, other) and other_region(one.evidence, other.evidence)
    return is_other or other_side(one.evidence, other.evidence)


def _overlap(pair: Chosen) -> float:
    """The share of the body that both show; 1 where they have no coordinates in common.

    Positions of one study are compared where no frame of reference is given.
    """
    one, other = (candidate.series for candidate in pair)
    is_comparable = _share_a_frame(one, other) or (_is_one_study(pair) and _are_without_frame(one, other))
    return overlap(pair[0].grid, pair[1].grid) if is_comparable else 1.0


def _are_without_frame(one: FoundSeries, other: FoundSeries) -> bool:
    """Whether both are DICOM and at least one gives no frame of reference."""
    return bool(one.dicom and other.dicom) and not (one.frame_of_reference and other.frame_of_reference)


def _have_other_frames(one: FoundSeries, other: FoundSeries) -> bool:
    frames = {one.frame_of_reference, other.frame_of_reference}
    return len(frames) == 2 and "" not in frames


def _coverage(pair: Chosen) -> float:
    """The smaller share of either series' slices that the other covers; 1 where that is unknown."""
    return _covered(pair[0].series, pair[1].series)


def _covered(one: FoundSeries, other: FoundSeries) -> float:
    if not _share_a_frame(one, other):
        return 1.0
    return min(share_of_slices(one.grid, other.grid), share_of_slices(other.grid, one.grid))


def _share_a_frame(one: FoundSeries, other: FoundSeries) -> bool:
    return bool(one.frame_of_reference) and one.frame_of_reference == other.frame_of_reference


def _points(pair: Chosen) -> int:
    return pair[0].judgement.score + pair[1].judgement.score


def _listed(pairs: list[Chosen]) -> str:
    """The candidates of both roles with their points."""
    t1s, t2s = ({str(pair[index]): None for pair in pairs} for index in (0, 1))
    return f"T1 series {' and '.join(t1s)}, T2 series {' and '.join(t2s)}"


def _too_close(close: list[Chosen], who: str) -> Finding:
    t1s, t2s = ({str(pair[index]): None for pair in close} for index in (0, 1))
    code = "ambiguous-t1" if len(t2s) == 1 else "ambiguous-t2" if len(t1s) == 1 else "ambiguous-pair"
    return _ambiguous(code, f"several fit about as well: {_listed(close)}", who)


def _choice(chosen: Candidate, partner: Candidate, role: SeriesRole, *, judged: list[JudgedSeries]) -> SeriesChoice:
    others = [one for one in judged if one.series is not chosen.series]
    runner_up = max(others, key=lambda one: one.judgements[role].score, default=None)
    judgement = chosen.judgement.and_also(*_only_in_pairs(chosen, partner, role, others=others))
    return SeriesChoice(
        series=chosen.series,
        score=judgement.score,
        reasons=judgement.reasons,
        runner_up=runner_up.series.reference if runner_up else "",
        runner_up_score=runner_up.judgements[role].score if runner_up else None,
        source_sha256=chosen.series.source_sha256,
        is_by_person=chosen.is_by_person,
        runner_up_reasons=runner_up.judgements[role].reasons if runner_up else (),
    )


def _only_in_pairs(
    chosen: Candidate, partner: Candidate, role: SeriesRole, *, others: list[JudgedSeries]
) -> Iterator[Reason]:
    """Reasons for a chosen series over others as good that have no partner."""
    if chosen.is_by_person:
        return
    rivals = [one for one in others if one.fits(role) and one.unsound is None]
    if _is_one_study((chosen, partner)) and any(one.series.study_key != chosen.series.study_key for one in rivals):
        yield Reason(HAS_PARTNER, "of the one study with a T1 and a T2")
    here = [one.series for one in rivals if one.series.study_key == chosen.series.study_key]
    near = [one for one in here if _share_a_frame(one, partner.series)]
    if any(overlap(one.grid, partner.grid) < LEAST_OVERLAP for one in near):
        yield Reason(HAS_PARTNER, "shows the same part of the body as its partner")
    elif _covered(chosen.series, partner.series) >= COVERED and any(
        _covered(one, partner.series) < UNCOVERED for one in near
    ):
        yield Reason(HAS_PARTNER, "covers its partner's slices")


def _none_plausible(role: SeriesRole, judged: list[JudgedSeries], who: str) -> Finding:
    """The finding that a role has no candidate, with the nearest series and the reasons against it."""
    name = "axial T1" if role is SeriesRole.T1 else "axial fat-suppressed T2"
    nearest = max(judged, key=lambda one: one.judgements[role].score, default=None)
    code, message = f"no-{role.value}", f"No {name} was found"
    if nearest is not None:
        judgement = nearest.judgements[role]
        against = "; ".join(judgement.reasons)
        points = f"{judgement.score} points ({against})"
        message += f"; the nearest of {len(judged)} series, {nearest.series.reference}, has {points}"
        code = "t1-perhaps-enhanced" if judgement.refusals == ("perhaps-enhanced",) else code
        code = "t2-not-fat-suppressed" if judgement.refusals == ("not-fat-suppressed",) else code
    remedy = "Choose the series if it is meant, or add it to the folder"
    is_dicom_only = bool(judged) and all(one.series.dicom is not None for one in judged)
    remedy += "." if is_dicom_only else "; name volume files by role, such as t1.nii.gz."
    return Finding(Level.ERROR, code, f"{message}.", remedy, who)


def _ambiguous(code: str, why: str, who: str) -> Finding:
    return Finding(Level.ERROR, code, f"No single pair of T1 and T2 fits best: {why}.", _CHOOSE, who)


def _doubts(t1: Candidate, t2: Candidate, who: str) -> Iterator[Finding]:
    """Warnings about a pair that was accepted all the same."""
    checks = (
        (not is_fat_suppressed(t2.series.evidence), "t2-not-fat-suppressed",
         "Nothing says that the T2 is fat-suppressed."),
        (is_contrast_enhanced(t1.series.evidence), "t1-contrast-enhanced",
         "The T1 is contrast-enhanced."),
        (is_contrast_enhanced(t2.series.evidence), "t2-contrast-enhanced",
         "The T2 is contrast-enhanced."),
        (not _is_one_study((t1, t2)), "different-studies", "T1 and T2 are of different studies."),
        (_is_one_study((t1, t2)) and _have_other_frames(t1.series, t2.series), "different-frames",
         "T1 and T2 have different frames of reference: nothing tells whether they show the same place."),
        (_is_elsewhere((t1, t2)), "different-places", "The headers of T1 and T2 name different parts of the body."),
        (_overlap((t1, t2)) < LEAST_OVERLAP, "no-overlap", "T1 and T2 show different parts of the body."),
    )  # fmt: skip
    for doubtful, code, message in checks:
        if doubtful:
            yield Finding(Level.WARNING, code, message, "Check that this is meant.", who)
    for candidate in (t1, t2):
        for finding in candidate.series.dicom.findings if candidate.series.dicom else ():
            subject = f"{who}, series {candidate.series.reference}"
            yield Finding(finding.level, finding.code, finding.message, finding.remedy, subject)
