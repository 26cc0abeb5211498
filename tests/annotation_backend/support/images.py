"""Cases of any protocol with series of a phantom limb on disk, to be registered for real."""

from collections.abc import Mapping

import numpy as np

from annotation_backend.cases.models import Case, Patient, Series
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import create_study
from datasets.files import sha256_of_bytes, sha256_of_file
from datasets.formats.nifti import write_volume
from datasets.image.volume import Grid, Volume
from datasets.study.shipped_protocols import shipped_text

CT_GRID = Grid((64, 64, 20), np.array([[-3.0, 0, 0, 95], [0, -3.0, 0, 95], [0, 0, 5.0, -50], [0, 0, 0, 1.0]]))
PET_GRID = Grid((40, 40, 24), np.array([[-5.0, 0, 0, 98], [0, -5.0, 0, 98], [0, 0, 4.5, -55], [0, 0, 0, 1.0]]))


def study_of(protocol: str) -> Study:
    """A study with a protocol that comes along."""
    return Study.objects.filter(name=protocol).first() or create_study(protocol, shipped_text(protocol))


def case_of(
    study: Study, volumes: Mapping[str, Volume], *, number: int = 1, frames: Mapping[str, str] | None = None
) -> Case:
    """A case with these series, not registered.

    Args:
        study: Whose case it is.
        volumes: Role to the series.
        number: Of the case and of its patient.
        frames: Role to its frame of reference.
    """
    code = study.code("C", number)
    patient = Patient.objects.create(
        study=study, code=study.code("P", number), pseudonym=sha256_of_bytes(code.encode())
    )
    case = Case.objects.create(study=study, code=code, patient=patient, source_sha256=sha256_of_bytes(code.encode()))
    for role, volume in volumes.items():
        path = case.folder / "series" / f"{role}.nii.gz"
        write_volume(path, volume)
        digest = sha256_of_file(path)
        evidence = {"reasons": [], "frame": (frames or {}).get(role, "")}
        Series.objects.create(
            case=case, role=role, file=f"series/{role}.nii.gz", source_sha256=digest, sha256=digest, evidence=evidence
        )
    return case


def body_share(grid: Grid, *, middle_mm: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """1 inside an upright elliptic body of 140 x 110 mm, 0 outside."""
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    x, y = points[..., 0] - middle_mm[0], points[..., 1] - middle_mm[1]
    return ((x / 70.0) ** 2 + (y / 55.0) ** 2 < 1.0).astype(np.float32)


def ct(grid: Grid = CT_GRID) -> Volume:
    """A body of soft tissue at 40 HU with a bone of 700 HU, in air."""
    body = body_share(grid)
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    bone = np.hypot(points[..., 0] - 20.0, points[..., 1]) < 14.0
    noise = np.random.default_rng(1).normal(0.0, 10.0, grid.shape)
    return Volume((np.where(body > 0, np.where(bone, 700.0, 40.0), -1000.0) + noise).astype(np.float32), grid)


def pet(grid: Grid = PET_GRID, *, middle_mm: tuple[float, float] = (0.0, 0.0)) -> Volume:
    """A body of 1 SUV with a hot spot of 8, in nothing."""
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    hot = np.linalg.norm(points - np.array([-20.0, 10.0, 0.0]), axis=-1) < 12.0
    noise = np.random.default_rng(2).normal(0.0, 0.05, grid.shape)
    body = body_share(grid, middle_mm=middle_mm)
    return Volume(np.clip(np.where(hot, 8.0, body) + noise * (body > 0), 0.0, None).astype(np.float32), grid)
