"""A study in which two people read each case, blind, and a third decides between them; and people who read."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.jobs import assemble_case
from annotation_backend.labeling.masks.regions import region_of
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.stages.assigning import assign, hand_in
from annotation_backend.stages.flow import begin
from annotation_backend.stages.models import Assignment, CaseStage
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role
from annotation_backend.studies.services import create_study
from datasets.image.mask import Inside
from datasets.study.shipped_protocols import FIRST, shipped_text
from datasets.study.stage import AssignedBy
from tests.annotation_backend.support.records import SHAPE, published, registered_case, saved

PICTURE = (SHAPE[1], SHAPE[0])

STAGES = """
[[stages]]
name = "read"
title = "Reading"
does = "draw"
done_by = "annotator"
readers = 2
blind = true
assignment = "hand"
opens_next = "hand-in"

[[stages]]
name = "decide"
title = "Adjudication"
does = "adjudicate"
done_by = "radiologist"
by_another = true
after = ["read"]

[[stages]]
name = "review"
title = "Review"
does = "review"
done_by = "radiologist"
readers = 2
blind = true
by_another = true
after = ["decide"]
returns_to = "read"
"""


def study_with(stages: str, name: str = "twice") -> Study:
    """A study of the first protocol's images with these stages."""
    text = shipped_text(FIRST)
    return create_study(name, text.partition("[[stages]]")[0] + stages)


def person_of(study: Study, name: str, role: Role, number: int) -> User:
    """A person with a role in a study, and a number in Label Studio."""
    person = User.objects.create_user(f"{name}@{study.name}.org", label_studio_id=number)
    give_role(study, person, role)
    return person


def published_case(study: Study, number: int = 1) -> tuple[Case, list[LabelingTask]]:
    """A case of a study with its tasks."""
    case = registered_case(study.code("C", number), study=study)
    return case, published(case, first_task=1000 * study.pk + 100 * number, project=40 + study.pk)


def square(rows: slice, columns: slice) -> Inside:
    """A mask in picture orientation."""
    mask = np.zeros(PICTURE, dtype=bool)
    mask[rows, columns] = True
    return mask


def save_of(person: User, task: LabelingTask, mask: Inside, *, number: int, at: str = "10:00:00") -> None:
    """A save of a slice by a person, as Label Studio has it."""
    result: list[dict[str, Any]] = [region_of(mask, region_id="a", score=None)] if mask.any() else []
    saved(
        task,
        identifier=number,
        person=person.label_studio_id,
        result=result,
        updated_at=f"2026-11-28T{at}.000001Z",
    )


def read(person: User, row: CaseStage, masks: Mapping[int, Inside], *, number: int, whole: bool = True) -> Assignment:
    """A person's reading of a case from assignment to hand-in: a save for each slice."""
    tasks = {task.slice_index: task for task in LabelingTask.objects.filter(case=row.case)}
    work = assign(row, person, (-1,) if whole else tuple(masks), how=AssignedBy.HAND)
    for index, mask in masks.items():
        save_of(person, tasks[index], mask, number=number + index)
    assemble_case.call(case_code=row.case.code)
    hand_in(work)
    return work


def opened(case: Case) -> CaseStage:
    """The first stage of a case, open."""
    return begin(case)[0]
