"""Chooses each patient's images by the study's protocol, and gives the reasons.

A wrong choice costs more than a question: images are chosen only where they lead all others by `MARGIN` points.
Otherwise the patient is named in a finding, with every candidate and its points, and a person chooses. A person's
choice stands, whatever the points. An optional image that is missing or unclear is left out, and the case goes on.
Where a dataset tells several cases of a patient apart, each is chosen for by itself.
"""

from collections.abc import Mapping
from itertools import combinations

from curation.pairing.best_fit import MARGIN, Chosen, fit_together
from curation.pairing.candidates import Candidate, candidates_for, considered
from curation.pairing.masks import LoadedImages, assign_masks, load_images, masks_without_series
from curation.pairing.pair_findings import doubts, none_plausible, optional_absent, optional_unclear, same_images
from curation.pairing.patient_identity import identity_problem
from curation.pairing.reasons_beside import HAS_PARTNER, only_together
from curation.pairing.series_choice import (
    Choices,
    ConsideredSeries,
    Pairing,
    PatientImages,
    PatientSummary,
    SeriesChoice,
)
from curation.scanning.case_table import CaseDescription
from curation.scanning.found_series import FolderScan, FoundSeries
from curation.series.preferences import strictest_first
from curation.series.ranking import judge_patient
from datasets.finding import Finding
from datasets.study.protocol import Protocol

__all__ = [
    "HAS_PARTNER", "MARGIN", "Choices", "ConsideredSeries", "LoadedImages", "Pairing", "PatientImages",
    "PatientSummary", "SeriesChoice", "load_images", "pair_series",
]  # fmt: skip


def pair_series(scan: FolderScan, *, protocol: Protocol, choices: Choices | None = None) -> Pairing:
    """Chooses each patient's images by the points of `curation.series.role_rules`; never one series for two roles.

    Digests of the chosen files are computed, so this reads them.

    Args:
        scan: What the folder holds.
        protocol: The study's.
        choices: Patient key to role to the reference of the series that a person chose. Such a series is taken
            whatever its points, unless it is no sound stack of slices; where it is absent the patient gets no case and
            the finding ``choice-absent``. It overrides `cases.csv`. Patients who are not in the folder are ignored,
            so all stored choices may be given; of a patient's several cases it is about the one that has the series.
    """
    patients = [one for key in scan.patient_keys for one in _cases_of(scan, key, protocol, choices or {})]
    pairs = tuple(one.images for one in patients if one.images is not None)
    findings = [finding for one in patients for finding in one.findings]
    return Pairing(pairs, tuple(findings), tuple(one.summary() for one in patients))


def _cases_of(scan: FolderScan, patient_key: str, protocol: Protocol, choices: Choices) -> "list[_Patient]":
    """The patient, or each of the cases that a dataset tells apart where several have all required images."""
    visits = scan.visits_of(patient_key)
    apart = [_Patient(scan, patient_key, protocol, choices, number) for number in range(1, len(visits) + 1)]
    is_apart = sum(one.has_required for one in apart) > 1
    return apart if is_apart else [_Patient(scan, patient_key, protocol, choices)]


class _Patient:
    """One patient's series, or those of one visit, judged, and the images chosen among them."""

    def __init__(
        self, scan: FolderScan, patient_key: str, protocol: Protocol, choices: Choices, number: int = 0
    ) -> None:
        self._key = patient_key
        self._protocol = protocol
        self._number = number
        self._who = scan.patient_reference(patient_key) + (f", visit {number}" if number else "")
        self._by_person = {**scan.choices.get(patient_key, {}), **choices.get(patient_key, {})}
        self._series = [one for one in scan.series if one.patient_key == patient_key]
        self._masks = [mask for mask in scan.masks if mask.patient_key == patient_key]
        self._description = scan.descriptions.get(patient_key, CaseDescription())
        self._judged = judge_patient(self._of_visit(scan) if number else self._series, protocol)
        self._anchor = protocol.drawn_role(self._description.tissue_type)
        self.findings: list[Finding] = []
        self.has_required = False
        self.images = self._chosen_images()
        if self.images is None:
            self.findings += masks_without_series(self._masks, self._series, self._who)

    def _of_visit(self, scan: FolderScan) -> list[FoundSeries]:
        """The visit's series; keeps its masks, words and choices only. Masks of no visit are a doubt of the first."""
        visit = scan.visits_of(self._key)[self._number - 1]
        own = [one for one in self._series if one.visit == visit]
        there = {one.reference for one in own}
        self._by_person = {role: chosen for role, chosen in self._by_person.items() if chosen in there}
        self._masks = [mask for mask in self._masks if mask.visit == visit or (not mask.visit and self._number == 1)]
        self._description = scan.visits[self._key, visit]
        return own

    def summary(self) -> PatientSummary:
        """The rows of reports about the patient."""
        chosen = self.images.chosen if self.images else {}
        return PatientSummary(
            reference=self._who,
            patient_key=self._key,
            considered=considered(self._judged, {choice.series.reference: role for role, choice in chosen.items()}),
            findings=(*self.findings, *(self.images.findings if self.images else ())),
            has_pair=self.images is not None,
            visit=self._number,
        )

    def _chosen_images(self) -> PatientImages | None:
        required = self._required()
        if required is None:
            return None
        choices = {role: self._choice(role, required) for role in required}
        if same := _copies(choices):
            self.findings.append(same_images(same, self._who))
            return None
        optional, noted = self._optional(required, choices)
        if optional is None:
            return None
        both = {**required, **optional}
        chosen = {role: both[role] for role in self._protocol.roles if role in both}
        anchor = {self._anchor: required[self._anchor]}
        choices |= {role: self._choice(role, {**anchor, role: one}) for role, one in optional.items()}
        series = {role: candidate.series for role, candidate in chosen.items()}
        assigned, said = assign_masks(self._masks, self._series, series, protocol=self._protocol, who=self._who)
        return PatientImages(
            reference=self._who,
            patient_key=self._key,
            protocol=self._protocol,
            chosen={role: choices[role] for role in chosen},
            masks=tuple(assigned),
            description=self._description,
            findings=(*doubts(chosen, self._protocol, self._anchor, self._who), *noted, *said),
        )

    def _required(self) -> Chosen | None:
        """The required images that fit together; None where there are none, with the reason among the findings."""
        usable = {role: self._candidates(role) for role in self._protocol.required}
        self.has_required = all(usable.values())
        if not self.has_required:
            return None
        best = fit_together(usable, self._protocol, self._anchor, self._who)
        if not isinstance(best, Finding):
            by_person = [one.series for one in best.values() if all(each.is_by_person for each in best.values())]
            best = identity_problem([one.series for one in self._judged], by_person, self._who) or best
        if isinstance(best, Finding):
            self.findings.append(best)
            return None
        return best

    def _candidates(self, role: str) -> list[Candidate]:
        image, chosen = self._protocol.image(role), self._by_person.get(role, "")
        found, said = candidates_for(image, self._judged, self._who, chosen=chosen)
        self.findings += [finding for finding in said if finding not in self.findings]
        if not found and not chosen:
            self.findings.append(none_plausible(image, self._judged, self._who))
        return found

    def _optional(self, required: Chosen, choices: Mapping[str, SeriesChoice]) -> tuple[Chosen | None, list[Finding]]:
        """The optional images that fit the one that is drawn on; None where a person's choice is not there."""
        taken: Chosen = {}
        noted: list[Finding] = []
        for image in strictest_first(self._protocol):
            chosen = self._by_person.get(image.name, "")
            found, said = candidates_for(image, self._judged, self._who, chosen=chosen)
            if chosen and not found:
                self.findings += said
                return None, []
            noted += [finding for finding in said if finding not in noted]
            used = [one.series for one in (*required.values(), *taken.values())]
            free = [one for one in found if not any(one.series is series for series in used)]
            if not free:
                noted.append(optional_absent(none_plausible(image, self._judged, self._who), image))
                continue
            usable = {self._anchor: [required[self._anchor]], image.name: free}
            best = {image.name: free[0]} if chosen else fit_together(usable, self._protocol, self._anchor, self._who)
            if isinstance(best, Finding):
                noted.append(optional_unclear(best, image))
                continue
            one = best[image.name]
            twins = [role for role, choice in choices.items() if _is_copy(one.series, choice.series)]
            if twins:
                noted.append(optional_unclear(same_images((twins[0], image.name), self._who), image))
                continue
            taken[image.name] = one
        return taken, noted

    def _choice(self, role: str, chosen: Chosen) -> SeriesChoice:
        """The choice of a role, with the next best series and why it is that."""
        own = chosen[role]
        others = [one for one in self._judged if one.series is not own.series]
        rivals = [one for one in others if one.fits(role) and one.unsound is None]
        ends = [name for name in chosen if name != role and self._anchor in (name, role)]
        partners = [chosen[name] for name in ends]
        judgement = own.judgement.and_also(*only_together(own, partners, rivals, tuple(chosen)))
        runner_up = max(others, key=lambda one: one.judgements[role].score, default=None)
        return SeriesChoice(
            series=own.series,
            score=judgement.score,
            reasons=judgement.reasons,
            runner_up=runner_up.series.reference if runner_up else "",
            runner_up_score=runner_up.judgements[role].score if runner_up else None,
            source_sha256=own.series.source_sha256,
            is_by_person=own.is_by_person,
            runner_up_reasons=runner_up.judgements[role].reasons if runner_up else (),
        )


def _copies(choices: Mapping[str, SeriesChoice]) -> tuple[str, ...]:
    """Two roles whose series are copies of the same bytes; () for none."""
    pairs = combinations(choices, 2)
    return next((pair for pair in pairs if _is_copy(choices[pair[0]].series, choices[pair[1]].series)), ())


def _is_copy(one: FoundSeries, other: FoundSeries) -> bool:
    """Whether two series are copies of the same bytes. Two stacks of one DICOM file are not."""
    is_one_file = one.dicom is not None and one.files == other.files
    return one.source_sha256 == other.source_sha256 and not is_one_file
