"""A case's mask on another series of the patient: one made on T1 or T2 is brought to any sequence that is given."""

from dataclasses import dataclass
from pathlib import Path

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.imported import imported_label
from annotation_backend.cases.registration.register import require_sound
from annotation_backend.cases.registration.volumes import case_volumes
from datasets.errors import RejectedInput
from datasets.finding import Finding
from datasets.formats.nifti import read_mask, read_volume, write_mask
from datasets.image.lattice import is_box_of, mask_on
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from datasets.study.case import SeriesRole
from datasets.study.shipped_protocols import FIRST, shipped_protocol


@dataclass(frozen=True)
class TransferReport:
    """Size of the mask that was written, and whether the other series' registration may be trusted.

    Args:
        voxels: Voxels inside, on the other series' grid.
        millilitres: Their volume.
        verdict: Of the other series' registration with the case: accept, look or reject.
        doubts: Messages of the checks that doubt it.
        findings: How a mask that was given came onto the case's grid, where that is worth knowing.
    """

    voxels: int
    millilitres: float
    verdict: str
    doubts: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def transfer_to_series(case: Case, series: Path, output: Path, *, mask: Path | None = None) -> TransferReport:
    """Registers another series of the patient with the case and writes the mask on that series' own grid.

    Args:
        case: A case whose registration is sound.
        series: A NIfTI, NRRD or MetaImage volume, or a folder that holds one DICOM series.
        output: The mask's file to write, ``.nii.gz``.
        mask: A mask on the case's grid or on T1's own; None for the tumour that came with the studies.

    Raises:
        RejectedInput: The case is not sound or has no mask, the mask lies on another grid, the series cannot be read
            or registered, or its registration is rejected (nothing is written then).
    """
    from curation.registration.quality import Verdict
    from curation.registration.register import place_series
    from curation.registration.transfer import CASE, transfer_mask

    if not output.name.endswith(".nii.gz"):
        raise RejectedInput("output-name", "The output's name does not end in .nii.gz.", remedy="Name it so.")
    require_sound(case)
    drawn, findings = _mask_on_case(case, mask)
    other = _read_series(series)
    placed, quality = place_series(other, case_volumes(case).t2)
    doubts = tuple(check.message for check in quality.checks if check.verdict is not Verdict.ACCEPT)
    if quality.verdict is Verdict.REJECT:
        raise RejectedInput(
            "transfer-rejected",
            f"The series does not fit {case.code}: {' '.join(doubts)}",
            remedy="Give a series of the same patient and examination.",
        )
    there = transfer_mask(drawn, source=CASE, target=placed, grid=other.grid)
    write_mask(output, there)
    voxels = int(there.foreground.sum())
    millilitres = voxels * other.grid.voxel_volume_mm3 / 1000.0
    return TransferReport(voxels, millilitres, quality.verdict.value, doubts, findings)


def _mask_on_case(case: Case, path: Path | None) -> tuple[Mask, tuple[Finding, ...]]:
    """The mask on the case's grid, through T1's placement where it was made on T1's own grid, and findings about it."""
    from curation.registration.register import placement_of
    from curation.registration.transfer import CASE, transfer_mask

    if path is None:
        imported = imported_label(case)
        if imported is None:
            raise RejectedInput(
                "case-no-mask", f"{case.code} has no imported tumour mask.", remedy="Give one with --mask."
            )
        return imported, ()
    mask, grid = read_mask(path), case_volumes(case).t2.grid
    if is_box_of(grid, mask.grid):
        return mask_on(mask, grid, what="The mask")
    t1 = read_volume(case.series.get(role=SeriesRole.T1.value).path)
    mask, findings = mask_on(mask, t1.grid, what=f"The mask, beside {case.code}'s grid ({grid.describe()}) and its T1")
    source = placement_of(case.registration.record, SeriesRole.T1, folder=case.registration.folder)
    return transfer_mask(mask, source=source, target=CASE, grid=grid), findings


def _read_series(path: Path) -> Volume:
    from curation.scanning.scan import scan_folder
    from datasets.formats.volume_file import read_volume as read_volume_file

    if path.is_file():
        return read_volume_file(path)
    found = scan_folder(path, protocol=shipped_protocol(FIRST)).series  # its role does not matter
    if len(found) != 1:
        raise RejectedInput(
            "transfer-series",
            f"Expected a folder with one series, got {len(found)}.",
            remedy="Put the series' files into a folder of their own, or give a volume file.",
        )
    return found[0].read()
