"""A case's mask on another series of the patient: one made on any of its images is brought to any other."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotation_backend.cases.models import Case, modality_of, title_of
from annotation_backend.cases.registration.imported import imported_label
from annotation_backend.cases.registration.register import require_sound
from annotation_backend.cases.registration.volumes import case_volumes, placement_in
from datasets.errors import RejectedInput
from datasets.finding import Finding
from datasets.formats.nifti import read_grid, read_mask, write_mask
from datasets.image.lattice import is_box_of, mask_on
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume

if TYPE_CHECKING:
    from curation.registration.source_image import SourceImage


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


def transfer_to_series(
    case: Case, series: Path, output: Path, *, mask: Path | None = None, role: str | None = None
) -> TransferReport:
    """Registers another series of the patient with the case and writes the mask on that series' own grid.

    Args:
        case: A case whose registration is sound.
        series: A NIfTI, NRRD or MetaImage volume, or a folder that holds one DICOM series.
        output: The mask's file to write, ``.nii.gz``.
        mask: A mask on the case's grid or on the own grid of an image; None for the tumour that came with the studies.
        role: The image on whose own grid the mask lies; None for any.

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
    drawn, findings = _mask_on_case(case, mask, role)
    other = _read_series(case, series)
    placed, quality = place_series(other, _still(case))
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


def _still(case: Case) -> "SourceImage":
    """The image that the others were brought onto, on the case's grid."""
    from curation.registration.source_image import SourceImage

    moved = {row.role for row in case.registrations.all()}
    role = next((one for one in case.roles if one not in moved), case.drawn_role)
    return SourceImage(case_volumes(case)[role], role=role, title="case", modality=modality_of(case, role))


def _mask_on_case(case: Case, path: Path | None, role: str | None) -> tuple[Mask, tuple[Finding, ...]]:
    """The mask on the case's grid, through the placement of the image on whose own grid it was made, and findings."""
    from curation.registration.transfer import CASE, transfer_mask

    if path is None:
        imported = imported_label(case)
        if imported is None:
            raise RejectedInput(
                "case-no-mask", f"{case.code} has no imported tumour mask.", remedy="Give one with --mask."
            )
        return imported, ()
    mask, grid = read_mask(path), _case_grid(case)
    if role is None and is_box_of(grid, mask.grid):
        return mask_on(mask, grid, what="The mask")
    chosen, own = _own_grid(case, mask, role)
    what = f"The mask, beside {case.code}'s grid ({grid.describe()}) and its {title_of(case, chosen)}"
    mask, findings = mask_on(mask, own, what=what)
    return transfer_mask(mask, source=placement_in(case, chosen), target=CASE, grid=grid), findings


def _case_grid(case: Case) -> Grid:
    """The case's grid, from its drawn image's header."""
    return read_grid(next(image for image in case.shown_images if image.role == case.drawn_role).path)


def _own_grid(case: Case, mask: Mask, role: str | None) -> tuple[str, Grid]:
    """The image on whose own grid a mask lies, and that grid; the first that was moved where it lies on none.

    Raises:
        RejectedInput: The case has no such image (``case-no-image``).
    """
    rows = [row for row in case.registrations.all() if row.role in case.roles and role in (None, row.role)]
    if role == case.drawn_role or not rows:
        if role not in (None, case.drawn_role):
            raise RejectedInput(
                "case-no-image",
                f"{case.code} has no image {role}.",
                remedy=f"Name one of {', '.join(case.roles)}.",
            )
        return case.drawn_role, _case_grid(case)
    grids = [(row.role, read_grid(case.series.get(role=row.role).path)) for row in rows]
    return next(((one, grid) for one, grid in grids if is_box_of(grid, mask.grid)), grids[0])


def _read_series(case: Case, path: Path) -> Volume:
    from curation.scanning.scan import scan_folder
    from datasets.formats.volume_file import read_volume as read_volume_file

    if path.is_file():
        return read_volume_file(path)
    found = scan_folder(path, protocol=case.protocol).series  # its role does not matter
    if len(found) != 1:
        raise RejectedInput(
            "transfer-series",
            f"Expected a folder with one series, got {len(found)}.",
            remedy="Put the series' files into a folder of their own, or give a volume file.",
        )
    return found[0].read()
