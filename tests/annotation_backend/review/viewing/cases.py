"""A case of a real one's size for the viewer: a limb with a tumour in two images, drawn in a few versions."""

import numpy as np

from annotation_backend.cases.models import Case, CaseImage, Patient, Registration, Series
from annotation_backend.cases.registration.keep import bind_images
from annotation_backend.labeling.models import CaseMask, CorrectionKind, LabelingProject, LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.corrections import correct
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.stages.flow import follow
from datasets.files import sha256_of_bytes, sha256_of_file
from datasets.formats.nifti import write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.pictures.picture_plane import PicturePlane
from tests.annotation_backend.support.records import the_study

SPACING = (0.7, 0.7, 4.0)


def limb(shape: tuple[int, int, int], *, seed: int, bright: float) -> np.ndarray:
    """An image of a limb with bone, muscles and a tumour, whole numbers as scanners give them."""
    x, y, z = _places(shape)
    random = np.random.default_rng(seed)
    image = np.where((x / 0.8) ** 2 + (y / 0.85) ** 2 + 0 * z < 1, 700.0, 0.0)
    image[(x / 0.68) ** 2 + (y / 0.72) ** 2 + 0 * z < 1] = 260
    image += 70 * np.sin(9 * x + 2 * z) * np.cos(7 * y) * (image == 260)
    image[(x + 0.15) ** 2 + (y - 0.1) ** 2 + 0 * z < 0.02] = 520
    image[tumour(shape)] = bright
    noisy = image + random.normal(0, 22, shape)
    return np.rint(np.clip(noisy, 0, None)).astype(np.float32)


def tumour(shape: tuple[int, int, int], *, size: float = 1.0) -> np.ndarray:
    """Where the tumour is, boolean."""
    x, y, z = _places(shape)
    return ((x - 0.3) / 0.26) ** 2 + ((y + 0.25) / 0.2) ** 2 + (z / 0.6) ** 2 < size


def _places(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    i, j, k = (np.linspace(-1, 1, size, dtype=np.float32) for size in shape)
    return i[:, None, None], j[None, :, None], k[None, None, :]


def large_case(code: str = "C0001", *, shape: tuple[int, int, int] = (512, 512, 40)) -> Case:
    """A registered case of two images of this shape, without pictures as files."""
    study = the_study()
    patient = Patient.objects.create(study=study, code=code.replace("C", "P"), pseudonym=sha256_of_bytes(code.encode()))
    case = Case.objects.create(
        study=study, code=code, patient=patient, tissue_type="fat", anatomical_site="left thigh",
        source_sha256=sha256_of_bytes(code.encode()),
    )  # fmt: skip
    grid = Grid(shape, np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0]))
    for number, (role, bright) in enumerate({"t1": 210.0, "t2": 620.0}.items()):
        path = case.folder / f"{role}.nii.gz"
        write_volume(path, Volume(limb(shape, seed=number, bright=bright), grid))
        digest = sha256_of_file(path)
        Series.objects.create(case=case, role=role, file=path.name, source_sha256=digest, sha256=digest)
        CaseImage.objects.create(case=case, role=role, file=path.name, sha256=digest)
    moved, stayed = ("t1", "t2") if case.drawn_role == "t2" else ("t2", "t1")
    Registration.objects.create(
        case=case, role=moved, fixed_role=stayed, record={"method": "identity"}, checkerboard_file="board.png",
        record_sha256=sha256_of_bytes(b"record"), verdict="accept",
    )  # fmt: skip
    bind_images(case)
    case.picture_plane = PicturePlane.of(grid).as_dict()
    case.pictured_sha256 = case.images_sha256
    case.save()
    return case


def publish(case: Case) -> None:
    """A task for each slice."""
    project, _ = LabelingProject.objects.get_or_create(study=case.study, label_studio_id=1, defaults={"title": "Test"})
    for index in range(PicturePlane.from_dict(case.picture_plane).slice_count):
        LabelingTask.objects.create(
            project=project, case=case, slice_index=index, label_studio_id=1000 * case.pk + index
        )


def drawn_as(case: Case, inside: np.ndarray, *, base: CaseMask | None = None) -> CaseMask:
    """The mask that counts from now on, as a model drew it."""
    grid = PicturePlane.from_dict(case.picture_plane).grid
    value = case.protocol.learned_label.value
    mask = Mask((inside * value).astype(np.uint8), grid, case.protocol.label_names)
    correct(case, mask, kind=CorrectionKind.AUTOMATIC, base=base)
    made = assemble(case)
    assert made is not None
    follow(case, standing_of(case).drawn)
    return made
