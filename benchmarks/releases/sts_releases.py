"""Releases of the prepared STS collection, for checks of exports on real patients."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from datasets.dicom.header import read_header
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.dicom_series.series import group_series, read_series
from datasets.formats.nifti import read_grid, read_volume, write_mask, write_volume
from datasets.image.mask import DEFAULT_LABELS, OEDEMA, TUMOUR, Mask
from datasets.image.resample import resample_volume
from datasets.release.build import ReleaseCase, ReleaseRole, ReleaseSettings, build_release
from datasets.release.codes import case_code, patient_code
from datasets.release.publication import Creator, Publication
from datasets.study.case import QualityScore

CITATIONS = (
    "Vallières et al. 2015, doi 10.7937/K9/TCIA.2015.7GO2GSKS",
    "Vallières et al. 2015, Phys. Med. Biol. 60:5471, doi 10.1088/0031-9155/60/14/5471",
    "Clark et al. 2013, doi 10.1007/s10278-013-9622-7",
)
PUBLICATION = Publication(
    title="Soft-tissue sarcomas with FDG-PET/CT and MRI, as a release",
    creators=tuple(
        Creator(name, is_institution=False)
        for name in ("Vallières, Martin", "Freeman, Carolyn R.", "Skamene, Sonia R.", "El Naqa, Issam")
    ),
    publisher="The Cancer Imaging Archive",
    published="2015",
    address="https://doi.org/10.7937/K9/TCIA.2015.7GO2GSKS",
    keywords=("soft-tissue sarcoma", "MRI", "PET-CT"),
)
_FILES = {"t1": "MR_T1", "ct": "CT", "pet": "PET"}
_MIXED = (1, 2, 3, 7)
"""Patients with PET and T1; 7 has no CT."""


def t1_release(sts: Path, out: Path, *, patients: int) -> Path:
    """T1 alone, of all patients."""
    folders = sorted(sts.glob("STS_*"))[:patients]
    cases = [
        _case(number, {"t1": folder / "MR_T1_image.nii.gz"}, "t1", folder) for number, folder in enumerate(folders, 1)
    ]
    return _built("sts-t1", cases, out, (ReleaseRole("t1", "T1-weighted", "t1"),))


def mixed_release(sts: Path, out: Path, *, patients: int) -> Path:
    """PET, CT and T1 on the grid of the drawn image, of a few patients; one was drawn on CT, the others on PET."""
    cases = []
    for number, patient in enumerate(_MIXED[:patients], 1):
        folder = sts / f"STS_{patient:03d}"
        drawn = "ct" if number == 1 else "pet"
        images = _on_one_grid(folder, drawn, out / "sources" / folder.name)
        cases.append(_case(number, images, drawn, folder))
    roles = (
        ReleaseRole("pet", "FDG-PET, SUV", "pet"),
        ReleaseRole("ct", "CT", "ct", is_required=False),
        ReleaseRole("t1", "T1-weighted", "t1"),
    )
    return _built("sts-pet-ct-mr", cases, out, roles)


def series_release(dicom: Path, out: Path) -> Path:
    """Every series of the raw DICOM as a case of its own, with its regions: so each mask has a series to be found."""
    roles = {"MR_T1": "t1", "MR_T2": "t2", "CT": "ct", "PET": "pet"}
    cases = []
    for patient, folder in enumerate(sorted(dicom.glob("STS_*")), 1):
        for session, series in enumerate(sorted(folder.iterdir()), 1):
            role = roles[series.name]
            image, mask = (out / "sources" / folder.name / f"{role}{end}.nii.gz" for end in ("", "-mask"))
            _write_series(series, image, mask)
            cases.append(
                ReleaseCase(
                    case_code(patient_code(patient), session), "unknown", "thigh", {role: image}, role, mask,
                    quality_score=QualityScore.SUFFICIENT,
                )
            )  # fmt: skip
    titles = {"t1": "T1-weighted", "t2": "T2, fat-suppressed", "ct": "CT", "pet": "FDG-PET, SUV"}
    return _built(
        "sts-series",
        cases,
        out,
        tuple(ReleaseRole(role, title, role, is_required=False) for role, title in titles.items()),
        labels={1: TUMOUR, 2: OEDEMA},
    )


def _write_series(folder: Path, image: Path, mask: Path) -> None:
    headers = {path: read_header(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    (series,) = group_series(headers.values())
    [structures] = [path for path, header in headers.items() if header.is_structure_set]
    volume = read_series(series)
    labels = np.zeros(volume.grid.shape, np.uint8)
    for name, region in sorted(read_structure_set(structures, series).masks.items(), reverse=True):
        labels[region.foreground] = 2 if "edema" in name.lower() else 1
    write_volume(image, volume)
    write_mask(mask, Mask(labels, volume.grid, {1: TUMOUR, 2: OEDEMA}))


def _on_one_grid(folder: Path, drawn: str, out: Path) -> dict[str, Path]:
    """The images of a patient, brought onto the drawn one by their millimetres; nothing is registered."""
    grid = read_grid(folder / f"{_FILES[drawn]}_image.nii.gz")
    images = {}
    for role, name in _FILES.items():
        source = folder / f"{name}_image.nii.gz"
        if source.exists():
            images[role] = out / f"{role}.nii.gz"
            write_volume(images[role], resample_volume(read_volume(source), grid))
    return images | {drawn: folder / f"{_FILES[drawn]}_image.nii.gz"}


def _case(number: int, images: dict[str, Path], drawn: str, folder: Path) -> ReleaseCase:
    return ReleaseCase(
        code=case_code(patient_code(number), 1),
        tissue_type="unknown",
        anatomical_site="thigh",
        images=images,
        drawn_role=drawn,
        mask=folder / f"{_FILES[drawn]}_mask.nii.gz",
        quality_score=QualityScore.SUFFICIENT,
    )


def _built(
    name: str,
    cases: list[ReleaseCase],
    out: Path,
    roles: tuple[ReleaseRole, ...],
    *,
    labels: Mapping[int, str] = DEFAULT_LABELS,
) -> Path:
    settings = ReleaseSettings(
        name,
        "1.0.0",
        "CC-BY-3.0",
        roles=roles,
        labels=labels,
        citations=CITATIONS,
        masks_made_by="The publishers of the collection.",
        publication=PUBLICATION,
    )
    return build_release(cases, settings, out / "releases").folder
