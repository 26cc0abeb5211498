"""From a folder of studies to registered cases with pictures: curation's results, kept as records."""

import logging
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from annotation_backend.cases.models import Case, ImportedMask, Registration, Series, Slice
from annotation_backend.cases.pseudonyms import next_code, patient_of
from datasets.case import CaseVolumes, SeriesRole, Stage, TissueType
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file, write_bytes, write_json
from datasets.finding import Finding, Level
from datasets.mask import Mask
from datasets.nifti import read_mask, read_volume, write_mask, write_volume
from datasets.picture_plane import PicturePlane
from datasets.volume import Volume

if TYPE_CHECKING:
    from curation.pairing import LoadedPair, PatientPair, SeriesChoice

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

TUMOUR_NAMES = ("gtv_mass", "tumour", "tumor", "mass", "lesion", "gtv")
"""Names of imported masks that mean the tumour, the surest first; anything with oedema in its name is not."""


REGION_WORDS = {
    *("gtv", "ctv", "ptv", "mass", "tumour", "tumor", "lesion", "edema", "oedema", "necrosis"),
    *("mask", "seg", "segmentation", "label", "t1", "t2", "mr"),
}
"""Words of an imported region's name that are kept."""


@dataclass
class IngestReport:
    """What came in."""

    new: list[Case] = field(default_factory=list)
    known: list[Case] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    reasons: dict[str, list[str]] = field(default_factory=dict)


def ingest(
    folder: Path, *, progress: Progress | None = None, dry_run: bool = False, is_rehearsal: bool = False
) -> IngestReport:
    """Brings in every patient of a folder who has a T1 and a T2; the others are named in the findings.

    A study that came in before (by the digest of its files) is left as it is.

    Args:
        folder: DICOM or NIfTI files, nested as they are.
        progress: Called with (files read, files).
        dry_run: Only look and report.
        is_rehearsal: The cases are the doctor's own.
    """
    from curation.pairing import pair_series
    from curation.scan import scan_folder

    scan = scan_folder(folder, progress=progress)
    pairing = pair_series(scan)
    report = IngestReport(findings=[*scan.findings, *pairing.findings])
    for pair in pairing.pairs:
        try:
            _ingest_pair(pair, report, dry_run=dry_run, is_rehearsal=is_rehearsal)
        except RejectedInput as error:
            report.findings.append(Finding(Level.ERROR, error.code, error.message, error.remedy, pair.reference))
    return report


def register_case(case: Case) -> bool:
    """Brings the case's T1 onto its T2 and stores both on one grid.

    Returns:
        Whether it was done now (False: it was registered before).

    Raises:
        RejectedInput: The volumes cannot be registered.
    """
    from curation.quality import checkerboard
    from curation.registration import register

    if case.is_registered:
        return False
    series = {SeriesRole(row.role): row for row in case.series.all()}
    found = register(
        read_volume(series[SeriesRole.T1].path),
        read_volume(series[SeriesRole.T2].path),
    )
    inputs = {**found.as_record(), "inputs": {role.value: row.sha256 for role, row in series.items()}}
    folder = f"registration/{sha256_of_bytes(canonical_json(inputs))[:16]}"
    write_volume(case.folder / folder / "t1.nii.gz", found.volumes.t1)
    write_volume(case.folder / folder / "t2.nii.gz", found.volumes.t2)
    write_bytes(case.folder / folder / "checkerboard.png", checkerboard(found.volumes.t1, found.volumes.t2))
    outputs = {role.value: sha256_of_file(case.folder / folder / f"{role.value}.nii.gz") for role in SeriesRole}
    record = {**inputs, "outputs": outputs}
    digest = sha256_of_bytes(canonical_json(record))
    write_json(case.folder / folder / "registration.json", record)
    values = {
        "record": record,
        "record_sha256": digest,
        "t1_file": f"{folder}/t1.nii.gz",
        "t2_file": f"{folder}/t2.nii.gz",
        "checkerboard_file": f"{folder}/checkerboard.png",
    }
    Registration.objects.update_or_create(case=case, defaults=values)
    case.refresh_from_db()
    return True


def export_case(case: Case) -> int:
    """Exports the case's axial pictures of both sequences; what was exported before is left as it is.

    Returns:
        How many pictures were exported now.

    Raises:
        RejectedInput: The case is not registered.
    """
    from curation.slices import SliceSubject, export_slices

    if not case.is_registered:
        raise RejectedInput("case-not-registered", f"{case.code} is not registered.", remedy="Run `register_cases`.")
    if case.slices.exists():
        return 0
    volumes = case_volumes(case)
    plane = PicturePlane.of(volumes.t2.grid)
    subject = SliceSubject(
        case.code, tissue_type=TissueType(case.tissue_type), site=case.anatomical_site, stage=Stage.ANNOTATION.value
    )
    exported = export_slices(volumes, plane, case.folder / "slices", subject=subject)
    pictures = [
        Slice(case=case, role=one.role.value, index=one.index, file=f"slices/{one.file_name}", sha256=one.sha256)
        for one in exported
    ]
    for picture in pictures:
        picture.renew_token()
    with transaction.atomic():
        Slice.objects.bulk_create(pictures)
        case.picture_plane = plane.as_dict()
        case.save(update_fields=["picture_plane"])
    return len(pictures)


def select_cases(codes: Sequence[str] | None) -> list[Case]:
    """The named cases, or all but the doctor's.

    Raises:
        RejectedInput: A code belongs to no case.
    """
    if not codes:
        return list(Case.objects.filter(is_rehearsal=False))
    cases = list(Case.objects.filter(code__in=codes))
    missing = sorted(set(codes) - {case.code for case in cases})
    if missing:
        raise RejectedInput(
            "case-unknown", f"No case is called {', '.join(missing)}.", remedy="The cases page lists them."
        )
    return cases


def case_volumes(case: Case) -> CaseVolumes:
    """T1 and T2 on the case's grid.

    Raises:
        RejectedInput: The case is not registered, or its files are gone.
    """
    if not case.is_registered:
        raise RejectedInput("case-not-registered", f"{case.code} is not registered.", remedy="Run `register_cases`.")
    return CaseVolumes(t1=_registered(case, SeriesRole.T1), t2=_registered(case, SeriesRole.T2))


def _registered(case: Case, role: SeriesRole) -> Volume:
    """A registered volume, after it was found to be the one that registration wrote."""
    path = case.registration.volume_path(role)
    if not path.exists() or sha256_of_file(path) != case.registration.record["outputs"][role.value]:
        raise RejectedInput(
            "case-volume-changed",
            f"The registered {role.value.upper()} of {case.code} is gone or is not the one that registration wrote.",
            remedy="Restore the data folder from its backup.",
        )
    return read_volume(path)


def picture_plane(case: Case) -> PicturePlane:
    """How the case's pictures go back to voxels.

    Raises:
        RejectedInput: Its slices were not exported.
    """
    if case.picture_plane is None:
        raise RejectedInput("case-not-exported", f"{case.code} has no pictures.", remedy="Run `export_slices`.")
    return PicturePlane.from_dict(case.picture_plane)


def imported_tumour(case: Case) -> Mask | None:
    """The tumour mask that came with the studies, carried onto the case's grid; None where none came.

    A mask of the annotated sequence is taken before one of the other.
    """
    masks = ImportedMask.objects.filter(series__case=case).select_related("series__case")
    ranked = sorted(masks, key=lambda row: (row.series.role != case.annotated_role.value, _tumour_rank(row.roi_name)))
    best = next((row for row in ranked if _tumour_rank(row.roi_name) < len(TUMOUR_NAMES)), None)
    return None if best is None else carried_mask(case, read_mask(best.path), SeriesRole(best.series.role))


def carried_mask(case: Case, mask: Mask, role: SeriesRole) -> Mask:
    """A mask on the grid of one of the case's series, brought onto the case's grid by the stored transform."""
    from curation.registration import carry_mask, transform_of

    transform = transform_of(case.registration.record, role)
    return carry_mask(mask, transform=transform, target=picture_plane(case).grid)


def _tumour_rank(roi_name: str) -> int:
    name = roi_name.lower()
    if "edema" in name:
        return len(TUMOUR_NAMES)
    return next((rank for rank, known in enumerate(TUMOUR_NAMES) if known in name), len(TUMOUR_NAMES))


def _ingest_pair(pair: "PatientPair", report: IngestReport, *, dry_run: bool, is_rehearsal: bool) -> None:
    from curation.pairing import load_pair

    known = Case.objects.filter(source_sha256=pair.source_sha256).first()
    if known is not None:
        report.known.append(known)
        report.findings += pair.findings
        return
    if dry_run:
        report.reasons[pair.reference] = [reason for choice in pair.choices for reason in choice.reasons]
        report.findings += pair.findings
        return
    loaded = load_pair(pair)
    case = _store(pair, loaded, is_rehearsal=is_rehearsal)
    report.findings += loaded.findings
    report.new.append(case)
    logger.info("ingested %s", case)


def _store(pair: "PatientPair", loaded: "LoadedPair", *, is_rehearsal: bool) -> Case:
    """Files first, in a folder of their own; then all records and the folder's move in one short transaction."""
    incoming = Path(settings.DATA_FOLDER) / "cases" / f".incoming-{pair.source_sha256[:16]}"
    shutil.rmtree(incoming, ignore_errors=True)
    try:
        stored = {role: _write_series(incoming, role, choice, loaded) for role, choice in pair.by_role.items()}
        with transaction.atomic():
            case = Case.objects.create(
                code=next_code(Case, "C"),
                patient=patient_of(pair.patient_key),
                tissue_type=pair.tissue_type.value,
                anatomical_site=pair.anatomical_site,
                source_sha256=pair.source_sha256,
                is_rehearsal=is_rehearsal,
                findings=[finding.as_dict() for finding in loaded.findings],
            )
            for series, masks in stored.values():
                series.case = case
                series.save()
                for mask in masks:
                    mask.series = series
                    mask.save()
            shutil.rmtree(case.folder, ignore_errors=True)
            incoming.rename(case.folder)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return case


def _write_series(
    folder: Path, role: SeriesRole, choice: "SeriesChoice", loaded: "LoadedPair"
) -> tuple[Series, list[ImportedMask]]:
    """Writes a series and its masks; returns their records, not saved yet."""
    file = f"series/{role.value}.nii.gz"
    write_volume(folder / file, loaded.volumes[role])
    series = Series(
        role=role.value,
        file=file,
        source_sha256=choice.source_sha256,
        sha256=sha256_of_file(folder / file),
        evidence={"reasons": list(choice.reasons), "score": choice.score},
    )
    masks: list[ImportedMask] = []
    for number, (roi_name, mask) in enumerate(loaded.masks.get(role, {}).items(), start=1):
        name = _known_words(roi_name) or f"region_{number}"
        if name in {other.roi_name for other in masks}:
            name = f"{name}_{number}"
        mask_file = f"series/{role.value}-{name}.nii.gz"
        write_mask(folder / mask_file, mask)
        masks.append(
            ImportedMask(
                roi_name=name,
                file=mask_file,
                sha256=sha256_of_file(folder / mask_file),
                source_sha256=loaded.mask_sources[role][roi_name],
            )
        )
    return series, masks


def _known_words(roi_name: str) -> str:
    """The words of a region's name that say what it is; people type patients' names into it, so others are left out."""
    words = re.split(r"[^a-z0-9]+", roi_name.lower())
    return "_".join(word for word in words if word in REGION_WORDS)
