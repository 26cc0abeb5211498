"""From a folder of studies to cases: one look at all headers here, then patient by patient on workers."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from annotation_backend.cases.exclusion import SUPERSEDED, exclude, take_back
from annotation_backend.cases.ingesting.alone import alone_in
from annotation_backend.cases.ingesting.chosen_series import choices_among
from annotation_backend.cases.ingesting.corrections import take_description
from annotation_backend.cases.ingesting.former_patients import carry_over
from annotation_backend.cases.ingesting.known_masks import forget, known_masks
from annotation_backend.cases.ingesting.pseudonyms import next_code, patient_of, pseudonym_of
from annotation_backend.cases.ingesting.run_values import IngestReport, PublishedSource, naming, position_of
from annotation_backend.cases.models import (
    Case,
    ImportedMask,
    Ingest,
    IngestOutcome,
    IngestPatient,
    Patient,
    Series,
    Withdrawal,
)
from annotation_backend.cases.withdrawal import require_not_withdrawn, withdrawn_again
from annotation_backend.cases.workers.pairs import (
    PairTask,
    StoredMask,
    StoredPair,
    known_words,
    region_words,
    store_pair,
)
from annotation_backend.cases.workers.scratch import move_in, scratch_folder
from annotation_backend.compute import each_done
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, sha256_of_file
from datasets.finding import Finding, Level
from datasets.progress import Progress

if TYPE_CHECKING:
    from curation.pairing.pairing import Pairing, PatientImages, PatientSummary

logger = logging.getLogger(__name__)


def ingest(
    folder: Path,
    *,
    study: Study,
    progress: Progress | None = None,
    storing: Progress | None = None,
    dry_run: bool = False,
    is_rehearsal: bool = False,
    workers: int | None = None,
    label_values: Mapping[int, str] | None = None,
    source: PublishedSource | None = None,
) -> IngestReport:
    """Brings in every patient of a folder who has the images that the study requires; others are named in findings.

    A study that came in before (by the digest of its files) is left as it is, but for masks that are new. A run that
    was killed goes on where it was.

    Args:
        folder: DICOM or NIfTI files, nested as they are.
        study: The study that they come into.
        progress: Called with (files read, files).
        storing: Called with (pairs stored, pairs to store).
        dry_run: Only look and report.
        is_rehearsal: The cases are the doctor's own; no record is made of the run.
        workers: As for `each_done`.
        label_values: Meaning of each value of mask files, as a person gave it; recorded with the run.
        source: The published dataset that the folder is; None for a folder of studies.

    Raises:
        TryAgain: Another ingest into the study is at work (`alone_in`); nobody waits for a look or a rehearsal.
    """
    from curation.pairing.other_protocols import fits_nobody
    from curation.pairing.pairing import pair_series
    from curation.scanning.scan import scan_folder

    protocol = study.protocol
    with nullcontext() if dry_run or is_rehearsal else alone_in(study):
        listed = None if source is None else source.laid_out
        scan = scan_folder(folder, protocol=protocol, progress=progress, label_values=label_values, listed=listed)
        if not dry_run:
            carry_over(study, scan)
        pairing = pair_series(scan, protocol=protocol, choices=choices_among(study, scan.patient_keys))
        of_folder = [*scan.findings, *fits_nobody(scan, protocol, pairing)]
        report = IngestReport(findings=[*of_folder, *pairing.findings])
        if dry_run:
            _only_look(study, pairing, report)
            return report
        said = {} if source is None else {**source.publication, "sha256": _digest_of(pairing)}
        record = None if is_rehearsal else _record(study, scan.file_count, of_folder, label_values or {}, said)
        _store(_Run(study, pairing, report, record), workers=workers, storing=storing)
        if record is not None:
            record.ended = timezone.now()
            record.save(update_fields=["ended"])
    return report


def _store(run: "_Run", *, workers: int | None, storing: Progress | None) -> None:
    """Reads the patients' images on workers and keeps each as it comes."""
    with scratch_folder() as scratch:
        tasks = run.tasks(scratch)
        for outcome in each_done(
            store_pair, tasks, key=lambda task: task.pair.source_sha256[:16], workers=workers, progress=storing
        ):
            if outcome.result is None:
                run.refuse(outcome.item.pair, outcome.finding_about(outcome.item.pair.reference))
            else:
                run.keep(outcome.item.pair, outcome.result)
    run.name_patients()


def _digest_of(pairing: "Pairing") -> str:
    """Digest over the digests of all chosen images, in whatever order the files lie."""
    return sha256_of_bytes("\n".join(sorted(pair.source_sha256 for pair in pairing.pairs)).encode())


def _only_look(study: Study, pairing: "Pairing", report: IngestReport) -> None:
    for pair in pairing.pairs:
        known = _known(study, pair)
        if known is not None:
            report.known.append(known)
        else:
            report.reasons[pair.reference] = [
                f"{role.upper()}: {'; '.join(choice.reasons)}" for role, choice in pair.chosen.items()
            ]
        report.findings += pair.findings


class _Run:
    """One ingest: the pairs to store, and each patient's outcome."""

    def __init__(self, study: Study, pairing: "Pairing", report: IngestReport, record: Ingest | None) -> None:
        self._study = study
        self._report = report
        self._record = record
        self._pairs = pairing.pairs
        self._summaries = {summary.reference: summary for summary in pairing.patients}
        self._patients: dict[str, Patient] = {}
        for summary in pairing.patients:
            if record is not None:  # codes follow the order of the folder
                self._patients[position_of(summary.reference)] = patient_of(self._study, summary.patient_key)
            if not summary.has_pair:
                self._note_without_pair(summary)

    def tasks(self, scratch: Path) -> list[PairTask]:
        """Tasks for workers; patients of whom nothing is new are noted at once."""
        return [task for pair in self._pairs for task in self._tasks_of(pair, scratch)]

    def keep(self, pair: "PatientImages", stored: StoredPair) -> None:
        """Makes a case of a stored pair, or adds its new masks to the known case."""
        known = _known(self._study, pair)
        if known is None:
            case = _make_case(self._study, pair, stored, is_rehearsal=self._record is None)
            self._report.new.append(case)
            findings = [*stored.findings, *self._supersede(case, pair)]
            logger.info("ingested %s", case)
        else:
            case = known
            self._report.known.append(case)
            findings = [*stored.findings, *_add_masks(case, stored)] if not stored.series else [*_met_again(case, pair)]
            findings += take_description(case, pair)
        self._report.findings += findings
        self._note(pair.reference, IngestOutcome.KNOWN if known else IngestOutcome.NEW, case=case, findings=findings)

    def name_patients(self) -> None:
        """In the report, calls the patients by their codes, once there are some."""
        self._report.name_patients(self._patients)

    def refuse(self, pair: "PatientImages", finding: Finding) -> None:
        """Notes a pair that could not be read or must not become a case."""
        self._report.findings.append(finding)
        known = _known(self._study, pair)
        outcome = IngestOutcome.KNOWN if known else IngestOutcome.REFUSED
        self._note(pair.reference, outcome, case=known, findings=[*pair.findings, finding])

    def _tasks_of(self, pair: "PatientImages", scratch: Path) -> Iterator[PairTask]:
        if Withdrawal.objects.filter(patient=_patient_if_known(self._study, pair)).exists():
            self.refuse(pair, withdrawn_again(pair.reference))
            return
        known = _known(self._study, pair)
        if known is not None:
            masks = list(ImportedMask.objects.filter(series__case=known).select_related("series__case"))
            compared = known_masks(masks, pair, region_words(self._study.protocol))
            self._report.findings += compared.findings
            if _mask_digests(pair) - compared.sound:
                kept = [mask for mask in masks if mask.source_sha256 in compared.sound]
                taken = frozenset(f"{mask.series.role}/{mask.roi_name}" for mask in kept)
                words = region_words(self._study.protocol)
                yield PairTask(pair, scratch, known_masks=compared.sound, taken_names=taken, words=words)
            else:
                self._meet_again(known, pair)
            return
        annotated = next((case for case in self._earlier_cases(pair) if case.is_annotated), None)
        if annotated is not None and _has_required(annotated, pair):
            self._meet_again(annotated, pair, _optional_too_late(annotated, pair))
        elif annotated is None:
            yield PairTask(pair, scratch, words=region_words(self._study.protocol))
        else:
            self.refuse(pair, _too_late(annotated, pair))

    def _meet_again(self, case: Case, pair: "PatientImages", *said: Finding) -> None:
        """Images whose case is there, with nothing new but what is said."""
        exclusion = case.exclusion
        if exclusion is not None and exclusion.reason == SUPERSEDED:
            take_back(case)
        self._report.known.append(case)
        findings = [*pair.findings, *said, *_met_again(case, pair), *self._supersede(case, pair)]
        findings += take_description(case, pair)
        self._report.findings += findings
        self._note(pair.reference, IngestOutcome.KNOWN, case=case, findings=findings)

    def _earlier_cases(self, pair: "PatientImages", *, but: Case | None = None) -> list[Case]:
        """Cases in use that were made of other series of the same patient and folder."""
        considered = self._summaries[pair.reference].considered
        references = {series.reference for series in considered}
        if self._record is None:
            return []
        others = Case.objects.in_use().filter(patient=patient_of(self._study, pair.patient_key))
        for known in filter(None, (but, _known(self._study, pair))):
            others = others.exclude(pk=known.pk)
        others = others.prefetch_related("series")
        return [case for case in others if {row.evidence.get("series") for row in case.series.all()} <= references]

    def _supersede(self, case: Case, pair: "PatientImages") -> Iterator[Finding]:
        """Leaves out the cases that the same patient's series made before, where nobody drew on them."""
        for other in self._earlier_cases(pair, but=case):
            if other.is_annotated:
                yield _too_late(other, pair)
                continue
            exclude(other, reason=SUPERSEDED)
            message = f"Other series were chosen than those of {other.code}: {case.code} takes its place."
            yield Finding(Level.INFO, "case-superseded", message, "Nothing, if the choice is right.", pair.reference)

    def _note_without_pair(self, summary: "PatientSummary") -> None:
        asks = summary.is_question
        row = self._note(summary.reference, IngestOutcome.UNDECIDED if asks else IngestOutcome.REFUSED, findings=[])
        if row is not None and asks and row.patient not in self._report.undecided:
            self._report.undecided.append(row.patient)

    def _note(
        self, reference: str, outcome: IngestOutcome, *, case: Case | None = None, findings: list[Finding]
    ) -> IngestPatient | None:
        if self._record is None:
            return None
        summary = self._summaries[reference]
        pair = next((pair for pair in self._pairs if pair.reference == reference), None)
        said = dict.fromkeys(naming(finding, self._patients) for finding in [*summary.findings, *findings])
        patient = patient_of(self._study, summary.patient_key)
        values = {
            "case": case,
            "outcome": outcome,
            "reference": patient.code,
            "considered": [series.as_dict() for series in summary.considered],
            "chosen": {role: choice.as_dict() for role, choice in pair.chosen.items()} if pair else {},
            "findings": [finding.as_dict() for finding in said],
        }
        row, _ = IngestPatient.objects.update_or_create(
            ingest=self._record, patient=patient, visit=summary.visit, defaults=values
        )
        return row


def _record(
    study: Study,
    file_count: int,
    findings: Iterable[Finding],
    label_values: Mapping[int, str],
    source: Mapping[str, str],
) -> Ingest:
    """The record of a run, begun; of what a person said of values, known words only."""
    words = region_words(study.protocol)
    return Ingest.objects.create(
        study=study,
        file_count=file_count,
        findings=[finding.as_dict() for finding in findings],
        label_values={str(value): known_words(name, words) for value, name in label_values.items()},
        source=dict(source),
    )


def _known(study: Study, pair: "PatientImages") -> Case | None:
    """The study's case of these very files, or one of the patient's that has them all and optional ones besides.

    A folder in which an optional image is missing is no other case; None where there is none.
    """
    case = Case.objects.filter(study=study, source_sha256=pair.source_sha256).first()
    if case is not None or all(image.is_required for image in study.protocol.images):
        return case
    wanted = {(role, choice.source_sha256) for role, choice in pair.chosen.items()}
    own = Case.objects.in_use().filter(study=study, patient__pseudonym=pseudonym_of(pair.patient_key))
    fuller = (one for one in own.prefetch_related("series") if wanted <= _sources(one))
    return next(fuller, None)


def _patient_if_known(study: Study, pair: "PatientImages") -> Patient | None:
    return Patient.objects.filter(study=study, pseudonym=pseudonym_of(pair.patient_key)).first()


def _has_required(case: Case, pair: "PatientImages") -> bool:
    """Whether a case has the same required images: only optional ones differ."""
    required = {(role, choice.source_sha256) for role, choice in pair.chosen.items() if role in pair.protocol.required}
    return len(required) < len(pair.protocol.images) and required <= _sources(case)


def _optional_too_late(case: Case, pair: "PatientImages") -> Finding:
    message = (
        f"Other optional images came with the studies than those of {case.code}, which has annotations and is kept."
    )
    remedy = f"Nothing, or exclude {case.code} and ingest again to have them."
    return Finding(Level.INFO, "optional-too-late", message, remedy, pair.reference)


def _sources(case: Case) -> set[tuple[str, str]]:
    return {(row.role, row.source_sha256) for row in case.series.all()}


def _make_case(study: Study, pair: "PatientImages", stored: StoredPair, *, is_rehearsal: bool) -> Case:
    """Makes the case's records and moves its folder in, in one short transaction."""
    patient = patient_of(study, pair.patient_key)
    with transaction.atomic():
        require_not_withdrawn(Patient.objects.select_for_update().get(pk=patient.pk))
        case = Case.objects.create(
            study=study,
            code=next_code(study, Case),
            patient=patient,
            tissue_type=pair.tissue_type,
            anatomical_site=pair.anatomical_site,
            consent=pair.consent,
            source_sha256=pair.source_sha256,
            is_rehearsal=is_rehearsal,
            findings=[naming(finding, {position_of(pair.reference): patient}).as_dict() for finding in stored.findings],
        )
        series = {}
        for role, sha256 in stored.series.items():
            series[role] = Series.objects.create(
                case=case,
                role=role,
                file=f"series/{role}.nii.gz",
                source_sha256=pair.chosen[role].source_sha256,
                sha256=sha256,
                evidence=pair.chosen[role].as_dict(),
            )
        ImportedMask.objects.bulk_create([_mask_record(mask, series[mask.role]) for mask in stored.masks])
        move_in(stored.folder, case.folder)
    return case


def _add_masks(case: Case, stored: StoredPair) -> Iterator[Finding]:
    """Moves masks into a known case: new ones, and those read again because their values have another meaning now."""
    series = {row.role: row for row in case.series.all()}
    with transaction.atomic():
        forget(case, (mask.source_sha256 for mask in stored.masks))
        for mask in stored.masks:
            (stored.folder / mask.file).replace(case.folder / mask.file)
            _mask_record(mask, series[mask.role]).save()
    if stored.masks:
        message = f"{len(stored.masks)} new mask(s) came with the studies; kept beside the earlier ones as a reference."
        yield Finding(Level.INFO, "mask-added", message, "Look whether the newer one is meant.", case.code)


def _mask_record(mask: StoredMask, series: Series) -> ImportedMask:
    return ImportedMask(
        series=series, roi_name=mask.roi_name, file=mask.file, sha256=mask.sha256, source_sha256=mask.source_sha256
    )


def _mask_digests(pair: "PatientImages") -> set[str]:
    """Digests of the files of a pair's masks; one that cannot be read will be a finding when it is loaded."""
    digests = set()
    for _, mask in pair.masks:
        try:
            digests.add(sha256_of_file(mask.path))
        except (OSError, RejectedInput):
            digests.add("")
    return digests


def _met_again(case: Case, pair: "PatientImages") -> Iterator[Finding]:
    """A warning if the pair's case is another patient's."""
    if case.patient != patient_of(case.study, pair.patient_key):
        message = f"These series already are those of {case.code}, a case of another patient."
        remedy = "Find out whose they are; two identifiers of one patient are to be made one before the ingest."
        yield Finding(Level.WARNING, "series-of-another", message, remedy, pair.reference)


def _too_late(case: Case, pair: "PatientImages") -> Finding:
    message = f"{case.code} already has annotations; its series can no longer be changed by ingesting."
    remedy = f"Exclude {case.code} and ingest again, or choose its series again."
    return Finding(Level.WARNING, "choice-too-late", message, remedy, pair.reference)
