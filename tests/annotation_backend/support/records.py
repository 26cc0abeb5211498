"""Small real records for tests: a case with files on disk, its pictures, a project and its tasks."""

from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import create_first_accounts, create_person, email_of
from annotation_backend.cases.models import Case, CaseImage, Patient, Registration, Series, Slice
from annotation_backend.cases.registration.export import export_case
from annotation_backend.cases.registration.keep import bind_images, keep_images
from annotation_backend.cases.workers.images import StoredImages, StoredRegistration
from annotation_backend.labeling.masks.controls import IMAGE
from annotation_backend.labeling.masks.regions import region_of
from annotation_backend.labeling.models import Annotation, CaseMask, LabelingProject, LabelingTask, ReceivedBy
from annotation_backend.labeling.saves.save import read_save
from annotation_backend.labeling.saves.store import store
from annotation_backend.review.models import Review, Verdict
from annotation_backend.review.services import decide
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import add_first_accounts, give_role
from annotation_backend.studies.services import create_study
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file, write_bytes
from datasets.formats.nifti import write_volume
from datasets.image.volume import Grid, Volume
from datasets.pictures.png_encoding import encode_png
from datasets.study.case import QualityScore
from datasets.study.shipped_protocols import FIRST, shipped_text

ROLES = ("t1", "t2")
SHAPE = (24, 20, 5)
AFFINE = np.diag([-1.0, -1.0, 4.0, 1.0])


VERDICT = {"verdict": "approve", "quality_score": "excellent", "comment": "", "accepts_unannotated": "on"}
"""A filled form of the review page, without the mask's number."""


def signed_in(person: User, **options: Any) -> Client:
    """A browser in which a person is signed in; `options` as for `Client`."""
    client = Client(**options)
    client.force_login(person)
    return client


def the_study() -> Study:
    """The first study, with the protocol MSTT-199, in which the first accounts have their roles."""
    return Study.objects.filter(name=FIRST).first() or create_study(FIRST, shipped_text(FIRST))


def first_account(role: Role) -> User:
    """The first account of a role."""
    return User.objects.get(username=email_of(role))


def member(email: str, role: Role, /, **values: Any) -> User:
    """A person without a password, with a role in the first study; `values` as for `User`."""
    person = User.objects.create_user(email, **values)
    give_role(the_study(), person, role)
    return person


def new_person(email: str, role: Role) -> tuple[User, str]:
    """A person as `add_person` makes one here, with a role in the first study, and their password."""
    person, password = create_person(email)
    give_role(the_study(), person, role)
    return person, password


def accounts() -> dict[Role, User]:
    """The four first accounts, with the ids that Label Studio would give them."""
    create_first_accounts()
    add_first_accounts(the_study())
    people = {}
    for number, role in enumerate(Role, start=1):
        person = first_account(role)
        person.label_studio_id = number
        person.save()
        people[role] = person
    return people


def second_study(name: str = "second", *, protocol: str = FIRST) -> Study:
    """A study beside the first one."""
    the_study()
    return create_study(name, shipped_text(protocol))


def registered_case(code: str = "C0001", *, tissue_type: str = "nerve", study: Study | None = None) -> Case:
    """A case with two random volumes on one grid and its exported pictures, of the first study where none is said."""
    study = study or the_study()
    patient, _ = Patient.objects.get_or_create(
        study=study, code=code.replace("C", "P"), pseudonym=sha256_of_bytes(code.encode())
    )
    case = Case.objects.create(
        study=study,
        code=code,
        patient=patient,
        tissue_type=tissue_type,
        source_sha256=sha256_of_bytes(code.encode()),
    )
    known = _DRAWN.get((code, tissue_type))
    if known is not None:
        copytree(known.folder, case.folder, dirs_exist_ok=True)
    else:
        _write_images(case)
    outputs: dict[str, str] = {}
    for role in ROLES:
        digest = sha256_of_file(case.folder / f"{role}.nii.gz")
        outputs[role] = digest
        Series.objects.create(case=case, role=role, file=f"{role}.nii.gz", source_sha256=digest, sha256=digest)
        CaseImage.objects.create(case=case, role=role, file=f"{role}.nii.gz", sha256=digest)
    moved, stayed = ROLES if case.drawn_role == "t2" else reversed(ROLES)
    Registration.objects.create(
        case=case,
        role=moved,
        fixed_role=stayed,
        record={"method": "identity", "transform": np.eye(4).tolist(), "outputs": outputs},
        record_sha256=sha256_of_bytes(b"record" + code.encode()),
        checkerboard_file="board.png",
    )
    bind_images(case)
    if known is not None:
        known.record(case)
    else:
        export_case(case)
        _DRAWN[code, tissue_type] = _Drawn.of(case, Path(_folder.name) / f"{code}-{tissue_type}")
    return case


def _write_images(case: Case) -> None:
    random = np.random.default_rng(int(case.code.rpartition("C")[2]))
    for role in ROLES:
        volume = Volume(random.normal(100, 20, SHAPE).astype(np.float32), Grid(SHAPE, AFFINE))
        write_volume(case.folder / f"{role}.nii.gz", volume)
    write_bytes(case.folder / "board.png", encode_png(np.zeros((2, 2), dtype=np.uint8)))


@dataclass(frozen=True)
class _Drawn:
    """Files of a case that was exported once in this run, and what was recorded of them: drawing takes a while."""

    folder: Path
    rows: list[dict[str, Any]]
    plane: dict[str, Any]

    @classmethod
    def of(cls, case: Case, folder: Path) -> "_Drawn":
        """Keeps a copy of what `export_case` made."""
        copytree(case.folder, folder)
        return cls(folder, list(case.slices.values("role", "index", "file", "sha256", "windows")), case.picture_plane)

    def record(self, case: Case) -> None:
        """What `export_case` would have recorded of these files."""
        pictures = [Slice(case=case, **row) for row in self.rows]
        for picture in pictures:
            picture.renew_token()
        Slice.objects.bulk_create(pictures)
        case.picture_plane, case.pictured_sha256 = self.plane, case.images_sha256
        case.save(update_fields=["picture_plane", "pictured_sha256"])


_DRAWN: dict[tuple[str, str], _Drawn] = {}
_folder = TemporaryDirectory(prefix="maskloop-drawn-")


def published(case: Case, *, first_task: int = 101, project: int = 1) -> list[LabelingTask]:
    """One task for each slice of the case, in its study's project, whose number is `project`."""
    place, _ = LabelingProject.objects.get_or_create(
        study=case.study, label_studio_id=project, defaults={"title": "Test"}
    )
    return [
        LabelingTask.objects.create(project=place, case=case, slice_index=index, label_studio_id=first_task + index)
        for index in range(SHAPE[2])
    ]


def drawn(value: bool = True) -> np.ndarray:
    """A mask in picture orientation (height 20, width 24)."""
    mask = np.zeros((SHAPE[1], SHAPE[0]), dtype=bool)
    mask[4:9, 6:15] = value
    return mask


def save_body(of: LabelingTask, *, identifier: int = 7, person: int = 4, **changes: Any) -> dict[str, Any]:
    """A save as Label Studio's webhook sends it."""
    body = {
        "id": identifier,
        "task": of.label_studio_id,
        "project": of.project.label_studio_id,
        "result": [region_of(drawn(), region_id="a", score=None)],
        "was_cancelled": False,
        "updated_at": "2026-11-21T10:00:00.000001Z",
        "completed_by": person,
        "updated_by": person,
    }
    return {**body, **changes}


def saved(of: LabelingTask, **changes: Any) -> Annotation:
    """A save that Label Studio gave us itself, stored; `changes` as for `save_body`."""
    return store(read_save(save_body(of, **changes)), received_by=ReceivedBy.PULL)[0]


def register_otherwise(case: Case, words: str = "otherwise") -> None:
    """Another registration, whose volumes are those that lie there, in the way that every registration is kept."""
    folder = case.folder / f"made-{words}"
    for image in case.images.all():
        write_bytes(folder / f"{image.role}.nii.gz", image.path.read_bytes())
    write_bytes(folder / "checkerboard.png", b"png")
    registration = case.registrations.get()
    record = {**registration.record, "method": words}
    digest = sha256_of_bytes(canonical_json(record))
    stored = StoredRegistration(registration.role, registration.fixed_role, folder, words, record, digest)
    keep_images(case, StoredImages((stored,), ()))


def approve(mask: CaseMask, reviewer: User, **changes: object) -> Review:
    """A verdict on a mask, an approval unless `changes`, which are as for `decide`, say otherwise."""
    choices = {"verdict": Verdict.APPROVE, "quality_score": QualityScore.EXCELLENT, "accepts_unannotated": True}
    return decide(mask, reviewer, **{**choices, **changes})  # type: ignore[arg-type]


def unaccepted_prompt() -> dict[str, Any]:
    """A smart box that was never accepted and came along with the save."""
    return {
        "id": "p",
        "type": "rectanglelabels",
        "from_name": "smart_box",
        "to_name": IMAGE,
        "original_width": SHAPE[0],
        "original_height": SHAPE[1],
        "image_rotation": 0,
        "value": {
            "x": 10.0,
            "y": 10.0,
            "width": 50.0,
            "height": 50.0,
            "rotation": 0,
            "rectanglelabels": ["Tumour box"],
        },
    }
