"""Fills a database with the rows of a large study; files are not written, because pages of lists read none.

What rows of one case look like, and how many of each kind there are, is said here and in `work_rows`.
"""

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import (
    Case,
    CaseImage,
    Ingest,
    IngestPatient,
    Patient,
    Registration,
    Series,
    Slice,
)
from annotation_backend.studies.models import Membership, Study
from annotation_backend.studies.services import create_study
from datasets.files import sha256_of_bytes
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.shipped_protocols import shipped_text

ROWS_AT_ONCE = 2000
PROTOCOL = "mstt-199-staged"
SITES = ("thigh", "calf", "upper arm", "forearm", "back", "pelvis")
SHARE_OF_ROLES = {Role.DATA_MANAGER: 0.06, Role.RADIOLOGIST: 0.24}
DAYS = 200
"""So long ago the study began."""


@dataclass(frozen=True)
class Size:
    """How much there is.

    Args:
        cases: Cases, one a patient.
        people: People with a role in the study.
        slices: Slices of a case, each with a task.
        saves: Saves in all, on the first cases.
        events: Raw events of the history in all.
    """

    cases: int = 10_000
    people: int = 50
    slices: int = 40
    saves: int = 200_000
    events: int = 1_000_000


def fill_study(name: str, size: Size, *, chance: random.Random) -> Study:
    """A study with its people, cases, images and pictures; work on it is added by `work_rows.fill_work`."""
    study = create_study(name, shipped_text(PROTOCOL))
    _people(study, size)
    made = [now() - timedelta(days=DAYS * (1 - number / size.cases)) for number in range(size.cases)]
    _cases(study, size, made, chance)
    return study


def put_in(model: Any, rows: Iterator[Any] | list[Any]) -> None:
    """Stores rows in portions."""
    portion: list[Any] = []
    for row in rows:
        portion.append(row)
        if len(portion) == ROWS_AT_ONCE:
            model._base_manager.bulk_create(portion)
            portion = []
    model._base_manager.bulk_create(portion)


def digest(*words: object) -> str:
    """A digest that is always the same for the same words."""
    return sha256_of_bytes("/".join(map(str, words)).encode())


def _people(study: Study, size: Size) -> None:
    users = [User(username=f"person-{n}@bench.org", label_studio_id=n + 100) for n in range(size.people)]
    User.objects.bulk_create(users)
    managers, radiologists = (round(share * size.people) for share in SHARE_OF_ROLES.values())
    roles = [Role.DATA_MANAGER] * managers + [Role.RADIOLOGIST] * radiologists
    roles += [Role.ANNOTATOR] * (size.people - len(roles))
    people = User.objects.filter(username__contains="@bench.org").order_by("pk")
    pairs = zip(people, roles, strict=True)
    Membership.objects.bulk_create(Membership(study=study, person=person, role=role.value) for person, role in pairs)


def _cases(study: Study, size: Size, made: list[datetime], chance: random.Random) -> None:
    numbers = range(1, size.cases + 1)
    put_in(Patient, [Patient(study=study, code=study.code("P", n), pseudonym=digest("p", n)) for n in numbers])
    patients = list(Patient.objects.filter(study=study).order_by("pk"))
    tissues = study.protocol.tissue_types
    put_in(
        Case,
        (
            Case(
                study=study, patient=patient, code=study.code("C", number), source_sha256=digest("c", number),
                tissue_type=chance.choice(tissues), anatomical_site=chance.choice(SITES),
                images_sha256=digest("images", number), pictured_sha256=digest("images", number),
                picture_plane=_PLANE,
            )
            for number, patient in zip(numbers, patients, strict=True)
        ),
    )  # fmt: skip
    cases = list(Case.objects.filter(study=study).order_by("pk"))
    for case, when in zip(cases, made, strict=True):
        case.created = when
    Case.objects.bulk_update(cases, ["created"], batch_size=ROWS_AT_ONCE)
    ingest = Ingest.objects.create(study=study, file_count=size.cases * 60, ended=now())
    put_in(
        IngestPatient,
        (IngestPatient(ingest=ingest, patient_id=c.patient_id, case=c, outcome="new", reference=c.code) for c in cases),
    )
    roles = ("t1", "t2")
    put_in(
        CaseImage, (CaseImage(case=c, role=r, file=f"{r}.nii.gz", sha256=digest(c.pk, r)) for c in cases for r in roles)
    )
    put_in(
        Series,
        (
            Series(case=c, role=r, file=f"{r}.nii.gz", source_sha256=digest("s", c.pk, r), sha256=digest(c.pk, r))
            for c in cases
            for r in roles
        ),
    )
    put_in(Registration, (_registration(case, chance) for case in cases))
    until = now() + timedelta(days=300)
    put_in(
        Slice,
        (
            Slice(
                case=case, role=case.drawn_role, index=index, file=f"slices/{index}.png", sha256=digest(case.pk, index),
                token=secrets.token_urlsafe(24), expires=until,
            )
            for case in _with_study(cases, study)
            for index in range(size.slices)
        ),
    )  # fmt: skip


def _with_study(cases: list[Case], study: Study) -> list[Case]:
    for case in cases:
        case.study = study
    return cases


def _registration(case: Case, chance: random.Random) -> Registration:
    verdict = "look" if chance.random() < 0.02 else "accept"
    return Registration(
        case=case, role="t1", fixed_role="t2", record={"method": "rigid", "motion": {}}, verdict=verdict,
        record_sha256=digest("r", case.pk), checkerboard_file="registration/checkerboard.png",
        automatic_verdict=verdict,
    )  # fmt: skip


_PLANE = PicturePlane.of(Grid((256, 256, 40), np.diag([-1.0, -1.0, 4.0, 1.0]))).as_dict()
