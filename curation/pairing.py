"""Which axial T1 and which axial fat-suppressed T2 of each patient make a case, and why.

A wrong pair costs more than a question: a pair is made only where it leads every other by `MARGIN` points. Otherwise
the patient is named in a finding, with every candidate and its points, and a person chooses. What a person chose
stands, whatever the points say.
"""

from collections.abc import Iterator, Mapping
from itertools import product

from curation.candidates import Candidate, JudgedSeries, candidates_for, considered, judge_patient
from curation.case_table import CaseDescription
from curation.found_series import FolderScan
from curation.mask_assignment import LoadedPair, assign_masks, load_pair
from curation.series_choice import (
    Choices,
    ConsideredSeries,
    Pairing,
    PatientPair,
    PatientSummary,
    SeriesChoice,
)
from curation.series_evidence import is_contrast_enhanced, is_fat_suppressed
from datasets.case import SeriesRole
from datasets.finding import Finding, Level

__all__ = [
    "Choices", "ConsideredSeries", "LoadedPair", "Pairing", "PatientPair", "PatientSummary", "SeriesChoice",
    "load_pair", "pair_series",
]  # fmt: skip

SAME_STUDY_POINTS = 2
"""Added to a pair of one study: T1 and T2 of one visit show one state of the tumour."""

MARGIN = 1
"""Points by which a pair must lead the next one."""

_CHOOSE = "Choose the series that are meant, or leave only those in the folder, and ingest again."

Chosen = tuple[Candidate, Candidate]


def pair_series(scan: FolderScan, *, choices: Choices | None = None) -> Pairing:
    """Chooses each patient's T1 and T2 by the points of `curation.series_evidence`; one of them may not be both.

    Digests of the chosen files are computed, so this reads them.

    Args:
        scan: What the folder holds.
        choices: Patient key to role to the reference of the series that a person chose. Such a series is taken
            whatever its points, unless it is no sound stack of slices; where it is absent the patient gets no pair and
            the finding ``choice-absent``. It goes before what `cases.csv` says. Patients who are not in the folder are
            passed over, so all choices ever made may be given.
    """
    pairs: list[PatientPair] = []
    findings: list[Finding] = []
    patients: list[PatientSummary] = []
    for patient_key in scan.patient_keys:
        chosen = {**scan.choices.get(patient_key, {}), **(choices or {}).get(patient_key, {})}
        judged = judge_patient([found for found in scan.series if found.patient_key == patient_key])
        best, said = _choose(judged, chosen, scan.patient_reference(patient_key))
        pair = _pair(scan, patient_key, judged, best) if best else None
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
    return (_best_pair(usable, who, findings) if all(usable.values()) else None), findings


def _pair(scan: FolderScan, patient_key: str, judged: list[JudgedSeries], best: Chosen) -> PatientPair:
    who = scan.patient_reference(patient_key)
    masks = [mask for mask in scan.masks if mask.patient_key == patient_key]
    roles = {role: candidate.series for role, candidate in zip(SeriesRole, best, strict=True)}
    assigned, mask_findings = assign_masks(masks, [one.series for one in judged], roles, who)
    return PatientPair(
        reference=who,
        patient_key=patient_key,
        t1=_choice(best[0], SeriesRole.T1, judged),
        t2=_choice(best[1], SeriesRole.T2, judged),
        masks=tuple(assigned),
        description=scan.descriptions.get(patient_key, CaseDescription()),
        findings=(*_doubts(*best, who), *mask_findings),
    )


def _best_pair(usable: Mapping[SeriesRole, list[Candidate]], who: str, findings: list[Finding]) -> Chosen | None:
    """The pair of most points; None, with a finding, where another comes too close."""
    pairs = [
        pair for pair in product(usable[SeriesRole.T1], usable[SeriesRole.T2]) if pair[0].series is not pair[1].series
    ]
    if not pairs:
        findings.append(_ambiguous("ambiguous-series", "one series that may be the T1 as well as the T2", who))
        return None
    most = max(map(_points, pairs))
    close = [pair for pair in pairs if most - _points(pair) < MARGIN]
    if len(close) > 1:
        findings.append(_too_close(close, who))
        return None
    return close[0]


def _points(pair: Chosen) -> int:
    same_study = pair[0].series.study_key == pair[1].series.study_key
    return pair[0].judgement.score + pair[1].judgement.score + (SAME_STUDY_POINTS if same_study else 0)


def _too_close(close: list[Chosen], who: str) -> Finding:
    t1s, t2s = ({str(pair[index]): None for pair in close} for index in (0, 1))
    if len(t2s) == 1:
        return _ambiguous("ambiguous-t1", f"equally good T1 series {' and '.join(t1s)}", who)
    if len(t1s) == 1:
        return _ambiguous("ambiguous-t2", f"equally good T2 series {' and '.join(t2s)}", who)
    found = f"several equally good pairs: T1 series {' and '.join(t1s)}, T2 series {' and '.join(t2s)}"
    return _ambiguous("ambiguous-pair", found, who)


def _choice(chosen: Candidate, role: SeriesRole, judged: list[JudgedSeries]) -> SeriesChoice:
    others = [one for one in judged if one.series is not chosen.series]
    runner_up = max(others, key=lambda one: one.judgements[role].score, default=None)
    return SeriesChoice(
        series=chosen.series,
        score=chosen.judgement.score,
        reasons=chosen.judgement.reasons,
        runner_up=runner_up.series.reference if runner_up else "",
        runner_up_score=runner_up.judgements[role].score if runner_up else None,
        source_sha256=chosen.series.source_sha256,
        is_by_person=chosen.is_by_person,
        runner_up_reasons=runner_up.judgements[role].reasons if runner_up else (),
    )


def _none_plausible(role: SeriesRole, judged: list[JudgedSeries], who: str) -> Finding:
    name = "axial T1" if role is SeriesRole.T1 else "axial fat-suppressed T2"
    nearest = max(judged, key=lambda one: one.judgements[role].score, default=None)
    found = "no series"
    if nearest is not None:
        judgement = nearest.judgements[role]
        against = "; ".join(judgement.reasons) or "the header says nothing"
        found = (
            f"{len(judged)} series, the nearest {nearest.series.reference} with {judgement.score} points ({against})"
        )
    return Finding(
        Level.ERROR,
        f"no-{role.value}",
        f"Expected an {name}, got {found}.",
        "Add the series to the folder; name NIfTI files by role, such as t1.nii.gz and t2.nii.gz.",
        who,
    )


def _ambiguous(code: str, found: str, who: str) -> Finding:
    return Finding(Level.ERROR, code, f"Expected one T1 and one T2 that fit best, got {found}.", _CHOOSE, who)


def _doubts(t1: Candidate, t2: Candidate, who: str) -> Iterator[Finding]:
    """What a person should know about a pair that was accepted all the same."""
    checks = (
        (not is_fat_suppressed(t2.series.evidence), "t2-not-fat-suppressed", "a T2 with fat suppression",
         "one without any sign of it"),
        (is_contrast_enhanced(t1.series.evidence), "t1-contrast-enhanced", "a T1 without contrast agent",
         "a contrast-enhanced one"),
        (t1.series.study_key != t2.series.study_key, "different-studies", "T1 and T2 of one study", "two studies"),
    )  # fmt: skip
    for doubtful, code, expected, found in checks:
        if doubtful:
            yield Finding(Level.WARNING, code, f"Expected {expected}, got {found}.", "Check that this is meant.", who)
