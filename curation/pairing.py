"""Which axial T1 and which axial fat-suppressed T2 of each patient make a case, and why.

When two choices are equally good, or none is plausible, the patient is named in a finding and no case is made: a wrong
pair costs more than a question.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from curation.case_table import CaseDescription
from curation.scan import FolderScan, FoundMask, FoundSeries
from curation.series_evidence import Judgement, is_contrast_enhanced, is_fat_suppressed, judge
from datasets.case import SeriesRole, TissueType
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, sha256_of_file
from datasets.finding import Finding, Level
from datasets.mask import TUMOUR, Mask
from datasets.nifti import read_mask
from datasets.rtstruct import read_rtstruct, unused_name
from datasets.volume import Volume

SAME_STUDY_POINTS = 2
"""Added to a pair of one study: T1 and T2 of one visit show one state of the tumour."""

_CHOOSE = "Leave only the series that are meant in the folder, and ingest again."
_MASK_REMEDY = "Export the mask on the slices of its own series, and ingest the study again."


@dataclass(frozen=True)
class SeriesChoice:
    """The series chosen for a role.

    Args:
        series: The series.
        score: Its points.
        reasons: Why, in plain words, a rule each.
        runner_up: Reference of the next best series; empty where there was none.
        runner_up_score: Its points, or None.
        source_sha256: Digest over the digests of the series' files.
    """

    series: FoundSeries
    score: int
    reasons: tuple[str, ...]
    runner_up: str
    runner_up_score: int | None
    source_sha256: str


@dataclass(frozen=True)
class PatientPair:
    """The T1 and T2 of one patient that make a case.

    Args:
        reference: How reports name the patient: by position in the folder.
        patient_key: Never to be stored or shown.
        t1: The T1.
        t2: The T2.
        masks: Masks of either series.
        description: What `cases.csv` says.
        findings: What a person should know about the choice, or about masks that are left out.
    """

    reference: str
    patient_key: str = field(repr=False)
    t1: SeriesChoice
    t2: SeriesChoice
    masks: tuple[tuple[SeriesRole | None, FoundMask], ...]
    description: CaseDescription
    findings: tuple[Finding, ...]

    @property
    def by_role(self) -> dict[SeriesRole, SeriesChoice]:
        """Both choices by role."""
        return {SeriesRole.T1: self.t1, SeriesRole.T2: self.t2}

    @property
    def choices(self) -> tuple[SeriesChoice, SeriesChoice]:
        """T1, then T2."""
        return self.t1, self.t2

    @property
    def tissue_type(self) -> TissueType:
        """What `cases.csv` says; unknown where it says nothing."""
        return self.description.tissue_type

    @property
    def anatomical_site(self) -> str:
        """What `cases.csv` says; empty where it says nothing."""
        return self.description.anatomical_site

    @property
    def source_sha256(self) -> str:
        """Digest over both series' digests, T1 first."""
        return sha256_of_bytes(f"{self.t1.source_sha256}\n{self.t2.source_sha256}".encode())


@dataclass(frozen=True)
class Pairing:
    """All pairs of a folder.

    Args:
        pairs: One a patient who has one.
        findings: Patients without a pair, series that cannot be used, and masks of nobody. What concerns a pair alone
            is in the pair's own findings.
    """

    pairs: tuple[PatientPair, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, eq=False)
class LoadedPair:
    """A pair's voxels.

    Args:
        volumes: T1 and T2, each on its own grid.
        masks: Role to name of region to mask, each on its series' grid.
        mask_sources: Role to name of region to the SHA-256 of the file that it came from.
        findings: The pair's own, and the masks that are left out.
    """

    volumes: Mapping[SeriesRole, Volume]
    masks: Mapping[SeriesRole, Mapping[str, Mask]]
    mask_sources: Mapping[SeriesRole, Mapping[str, str]]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Candidate:
    series: FoundSeries
    judgement: Judgement


def pair_series(scan: FolderScan) -> Pairing:
    """Chooses each patient's T1 and T2 by the points of `curation.series_evidence`; one of them may not be both.

    A pair of one study gets two points more. Digests of the chosen files are computed, so this reads them.
    """
    pairs: list[PatientPair] = []
    findings: list[Finding] = []
    for patient_key in scan.patient_keys:
        pair, said = _pair_patient(scan, patient_key)
        findings += said
        if pair is not None:
            pairs.append(pair)
    return Pairing(tuple(pairs), tuple(findings))


def load_pair(pair: PatientPair) -> LoadedPair:
    """Reads both volumes and every mask that belongs to them.

    A mask that cannot be read or lies on another grid than its series becomes a finding, and the case goes on without.

    Raises:
        RejectedInput: A volume cannot be read.
    """
    volumes = {role: choice.series.read() for role, choice in pair.by_role.items()}
    masks: dict[SeriesRole, dict[str, Mask]] = {role: {} for role in volumes}
    sources: dict[SeriesRole, dict[str, str]] = {role: {} for role in volumes}
    findings = list(pair.findings)
    for role, found in pair.masks:
        try:
            own_role, regions = _read_masks(found, role, pair, volumes)
            digest = sha256_of_file(found.path)
        except (RejectedInput, OSError) as error:
            findings.append(_left_out(pair, found, error))
            continue
        for name, mask in regions.items():
            name = unused_name(name, masks[own_role])
            masks[own_role][name], sources[own_role][name] = mask, digest
    return LoadedPair(volumes, masks, sources, tuple(findings))


def _pair_patient(scan: FolderScan, patient_key: str) -> tuple[PatientPair | None, list[Finding]]:
    who = scan.patient_reference(patient_key)
    series = [found for found in scan.series if found.patient_key == patient_key]
    masks = [mask for mask in scan.masks if mask.patient_key == patient_key]
    findings: list[Finding] = []
    usable = {role: list(_usable(series, role, who, findings)) for role in SeriesRole}
    findings += [_none_plausible(role, series, who) for role in SeriesRole if not usable[role]]
    chosen = _best_pair(usable, who, findings) if all(usable.values()) else None
    if chosen is None:
        return None, findings
    assigned, mask_findings = _assign_masks(masks, series, dict(zip(SeriesRole, chosen, strict=True)), who)
    pair = PatientPair(
        reference=who,
        patient_key=patient_key,
        t1=_choice(chosen[0], usable[SeriesRole.T1]),
        t2=_choice(chosen[1], usable[SeriesRole.T2]),
        masks=tuple(assigned),
        description=scan.descriptions.get(patient_key, CaseDescription()),
        findings=(*_doubts(*chosen, who), *mask_findings),
    )
    return pair, findings


def _usable(series: list[FoundSeries], role: SeriesRole, who: str, findings: list[Finding]) -> Iterator[_Candidate]:
    """Plausible series that are sound stacks; the unsound ones are named."""
    for found in series:
        judgement = judge(found.evidence, role)
        if not judgement.is_plausible or (found.named_role or role) is not role:
            continue
        try:
            _ = found.grid
        except RejectedInput as error:
            subject = f"{who}, series {found.reference}"
            finding = Finding(Level.ERROR, error.code, error.message, error.remedy, subject)
            if finding not in findings:
                findings.append(finding)
        else:
            yield _Candidate(found, judgement)


def _best_pair(
    usable: Mapping[SeriesRole, list[_Candidate]], who: str, findings: list[Finding]
) -> tuple[_Candidate, _Candidate] | None:
    """The pair of most points; None, with a finding, where several have as many."""
    pairs = [
        pair for pair in product(usable[SeriesRole.T1], usable[SeriesRole.T2]) if pair[0].series is not pair[1].series
    ]
    if not pairs:
        findings.append(_ambiguous("ambiguous-series", "one series that may be the T1 as well as the T2", who))
        return None
    most = max(map(_points, pairs))
    best = [pair for pair in pairs if _points(pair) == most]
    if len(best) == 1:
        return best[0]
    t1s, t2s = ({pair[index].series.reference: None for pair in best} for index in (0, 1))
    if len(t2s) == 1:
        findings.append(_ambiguous("ambiguous-t1", f"equally good T1 series {' and '.join(t1s)}", who))
    elif len(t1s) == 1:
        findings.append(_ambiguous("ambiguous-t2", f"equally good T2 series {' and '.join(t2s)}", who))
    else:
        found = f"several equally good pairs: T1 series {' and '.join(t1s)}, T2 series {' and '.join(t2s)}"
        findings.append(_ambiguous("ambiguous-pair", found, who))
    return None


def _points(pair: tuple[_Candidate, _Candidate]) -> int:
    same_study = pair[0].series.study_key == pair[1].series.study_key
    return pair[0].judgement.score + pair[1].judgement.score + (SAME_STUDY_POINTS if same_study else 0)


def _choice(chosen: _Candidate, candidates: list[_Candidate]) -> SeriesChoice:
    others = [candidate for candidate in candidates if candidate.series is not chosen.series]
    runner_up = max(others, key=lambda candidate: candidate.judgement.score, default=None)
    return SeriesChoice(
        series=chosen.series,
        score=chosen.judgement.score,
        reasons=chosen.judgement.reasons,
        runner_up=runner_up.series.reference if runner_up else "",
        runner_up_score=runner_up.judgement.score if runner_up else None,
        source_sha256=chosen.series.source_sha256,
    )


def _none_plausible(role: SeriesRole, series: list[FoundSeries], who: str) -> Finding:
    name = "axial T1" if role is SeriesRole.T1 else "axial fat-suppressed T2"
    judged = [(judge(found.evidence, role), found) for found in series]
    nearest = max(judged, key=lambda pair: pair[0].score, default=None)
    found = "no series"
    if nearest is not None:
        against = "; ".join(nearest[0].reasons) or "the header says nothing"
        found = f"{len(series)} series, the nearest {nearest[1].reference} with {nearest[0].score} points ({against})"
    return Finding(
        Level.ERROR,
        f"no-{role.value}",
        f"Expected an {name}, got {found}.",
        "Add the series to the folder; name NIfTI files by role, such as t1.nii.gz and t2.nii.gz.",
        who,
    )


def _ambiguous(code: str, found: str, who: str) -> Finding:
    return Finding(Level.ERROR, code, f"Expected one T1 and one T2 that fit best, got {found}.", _CHOOSE, who)


def _doubts(t1: _Candidate, t2: _Candidate, who: str) -> Iterator[Finding]:
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


def _assign_masks(
    masks: list[FoundMask], series: list[FoundSeries], chosen: Mapping[SeriesRole, _Candidate], who: str
) -> tuple[list[tuple[SeriesRole | None, FoundMask]], list[Finding]]:
    """Masks of the chosen series with their role; None for a NIfTI mask whose name says no role."""
    assigned: list[tuple[SeriesRole | None, FoundMask]] = []
    findings: list[Finding] = []
    present = {found.dicom.series_uid for found in series if found.dicom}
    for mask in masks:
        if not mask.is_structure_set:
            assigned += [(mask.named_role, mask)] if not mask.modality else []
            continue
        roles = [
            role
            for role, candidate in chosen.items()
            if candidate.series.dicom and candidate.series.dicom.series_uid in mask.series_uids
        ]
        assigned += [(role, mask) for role in roles]
        if not roles:
            findings.append(_foreign_mask(mask, who, is_present=bool(present & set(mask.series_uids))))
    return assigned, findings


def _foreign_mask(mask: FoundMask, who: str, *, is_present: bool) -> Finding:
    subject = f"{who}, {mask.reference}"
    if is_present:
        message = "Expected a structure set of the chosen T1 or T2, got one of another series; it is left out."
        return Finding(
            Level.INFO, "mask-of-other-series", message, "Nothing, if the choice of series is right.", subject
        )
    message = "Expected the series that the structure set was drawn on, got none; it is left out."
    return Finding(Level.WARNING, "mask-without-series", message, "Add that series to the folder.", subject)


def _read_masks(
    found: FoundMask, role: SeriesRole | None, pair: PatientPair, volumes: Mapping[SeriesRole, Volume]
) -> tuple[SeriesRole, dict[str, Mask]]:
    """A file's regions and whose they are; a NIfTI mask without a role goes to T2, or else T1, by its grid."""
    dicom = pair.by_role[role].series.dicom if role is not None else None
    if found.is_structure_set and role is not None and dicom is not None:
        return role, read_rtstruct(found.path, dicom)
    mask = read_mask(found.path)
    roles = [role] if role is not None else [SeriesRole.T2, SeriesRole.T1]
    own = next((one for one in roles if volumes[one].grid.matches(mask.grid)), None)
    if own is None:
        expected = " or ".join(volumes[one].grid.describe() for one in roles)
        raise RejectedInput(
            "mask-grid",
            f"Expected a mask on the grid of its series ({expected}), got {mask.grid.describe()}.",
            remedy=_MASK_REMEDY,
        )
    return own, _regions_of(mask, found.region)


def _regions_of(mask: Mask, region: str) -> dict[str, Mask]:
    """One mask a label value; the first is the file's region, the others are named by their value."""
    names = {int(value): f"label {value}" for value in np.unique(mask.data) if value} or {1: region}
    names[min(names)] = region or TUMOUR
    return {
        name: Mask((mask.data == value).astype(np.uint8), mask.grid, {1: name})
        for value, name in names.items()
        if value in mask.data
    }


def _left_out(pair: PatientPair, found: FoundMask, error: RejectedInput | OSError) -> Finding:
    subject = f"{pair.reference}, {found.reference}"
    if isinstance(error, RejectedInput):
        return Finding(Level.ERROR, error.code, f"{error.message} The mask is left out.", error.remedy, subject)
    message = f"Expected a mask that can be read, got none ({type(error).__name__}); it is left out."
    return Finding(Level.ERROR, "file-unreadable", message, "Check the file's permissions and the disk.", subject)
