"""Cases without files in studies of any protocol, and what is drawn on them, for tests of stages."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case, Patient, Series, Slice
from annotation_backend.labeling.models import LabelingProject, LabelingTask
from annotation_backend.stages.models import CaseStage, StageState
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role
from annotation_backend.studies.services import create_study
from datasets.files import sha256_of_bytes
from datasets.study.shipped_protocols import shipped_text

SLICES = 5
ALL = range(SLICES)

BLIND_PAIR = """
[[stages]]
name = "draw"
title = "Two readers"
done_by = "annotator"
does = "draw"
readers = 2
blind = true
opens_next = "hand-in"

[[stages]]
name = "decide"
title = "Adjudication"
done_by = "radiologist"
does = "adjudicate"
by_another = true
after = ["draw"]
"""


def study_of(protocol: str, name: str | None = None, *, stages: str = "") -> Study:
    """A study with a shipped protocol; with `stages` in the place of its own, where they are given."""
    document = shipped_text(protocol)
    if stages:
        document = document[: document.index("[[stages]]")] + stages
    return create_study(name or f"of-{protocol}", document)


def bare_case(study: Study, number: int = 1, *, tissue_type: str = "nerve", slices: int = SLICES) -> Case:
    """A case with slices that have no pictures, and a task for each."""
    code = study.code("C", number)
    patient = Patient.objects.create(
        study=study, code=study.code("P", number), pseudonym=sha256_of_bytes(code.encode())
    )
    case = Case.objects.create(
        study=study,
        code=code,
        patient=patient,
        tissue_type=tissue_type,
        source_sha256=sha256_of_bytes(code.encode()),
    )
    for required in study.protocol.required:
        Series.objects.create(case=case, role=required, file="x.nii.gz", source_sha256="", sha256="")
    role = case.drawn_role
    later = now() + timedelta(days=1)
    Slice.objects.bulk_create(
        Slice(case=case, role=role, index=index, file="x.png", token=f"{code}-{index}", expires=later)
        for index in range(slices)
    )
    project, _ = LabelingProject.objects.get_or_create(study=study, label_studio_id=study.pk, defaults={"title": "T"})
    LabelingTask.objects.bulk_create(
        LabelingTask(project=project, case=case, slice_index=index, label_studio_id=1000 * case.pk + index)
        for index in range(slices)
    )
    return case


def worker(study: Study, role: Role, number: int = 1) -> User:
    """A person with a role in a study and a number in Label Studio."""
    name = f"{role.value}-{number}-{study.name}@hospital.org"
    person = User.objects.create_user(name, email=name, label_studio_id=10_000 * study.pk + 100 * len(role) + number)
    give_role(study, person, role)
    return person


def drawn(indices: Iterable[int], *, at: datetime | None = None) -> dict[int, datetime]:
    """What is drawn, now or at another time, as `follow` takes it."""
    return dict.fromkeys(indices, at or now())


def open_stages(case: Case) -> list[tuple[str, int]]:
    """Names and rounds of the open stages of a case."""
    rows = CaseStage.objects.filter(case=case, state=StageState.OPEN)
    return list(rows.order_by("pk").values_list("stage", "round"))


def row_of(case: Case, stage: str) -> CaseStage:
    """The newest round of a stage."""
    return CaseStage.objects.filter(case=case, stage=stage).select_related("case__study").order_by("-round")[0]
