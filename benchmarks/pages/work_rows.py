"""Rows of people's work in a large study: tasks, saves, masks, stages, verdicts and raw events."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.history.models import Event, EventKind
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationFinding,
    CaseMask,
    FindingKind,
    LabelingProject,
    LabelingTask,
    ReceivedBy,
    TaskState,
    label_rows,
)
from annotation_backend.labeling.versions.standing import inputs_digest
from annotation_backend.review.models import Review
from annotation_backend.stages.models import Assignment, AssignmentState, CaseStage, StageState, Transition
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import people_in
from benchmarks.pages.filling import DAYS, Size, digest, put_in
from datasets.study.case import QualityScore

SHARE_REVIEWED = 0.8
"""Of the cases with a mask."""

SHARE_RETURNED = 0.15
OPEN_FINDINGS = 300
SAVES_OF_A_CASE_MORE = 5


def fill_work(study: Study, size: Size, *, chance: random.Random) -> None:
    """Tasks of every slice; saves, masks, stages and verdicts of the first cases; and events all over the time."""
    cases = list(Case.objects.filter(study=study).select_related("study").order_by("pk"))
    _tasks(study, cases, size)
    drawn = cases[: size.saves // size.slices]
    people = {role: list(people_in(study, role)) for role in Role if role is not Role.ADMINISTRATOR}
    _saves(study, drawn, people[Role.ANNOTATOR], size, chance)
    masks = _masks(study, drawn, size)
    _stages(study, cases, drawn, people, chance)
    _reviews(masks, people[Role.RADIOLOGIST], chance)
    _events(study, cases, people, size, chance)


def _tasks(study: Study, cases: list[Case], size: Size) -> None:
    project = LabelingProject.objects.create(study=study, label_studio_id=7, title=study.name)
    drawn = size.saves // size.slices
    put_in(
        LabelingTask,
        (
            LabelingTask(
                project=project, case=case, slice_index=index, label_studio_id=number * size.slices + index + 1,
                state=TaskState.ANNOTATED if number < drawn else TaskState.PENDING,
            )
            for number, case in enumerate(cases)
            for index in range(size.slices)
        ),
    )  # fmt: skip


def _saves(study: Study, drawn: list[Case], people: list[User], size: Size, chance: random.Random) -> None:
    tasks = LabelingTask.objects.filter(case__in=_span(drawn)).order_by("case", "slice_index")
    begin = now() - timedelta(days=DAYS)
    step = timedelta(days=DAYS) / max(1, size.saves)

    def rows() -> Iterator[Annotation]:
        for number, task in enumerate(tasks.iterator()):
            person = people[number // size.slices % len(people)]
            yield Annotation(
                task=task, project_id=task.project_id, label_studio_id=number + 1,
                label_studio_task=task.label_studio_id, number=1, author=person, completed_by=person.label_studio_id,
                updated_by=person.label_studio_id, raw={"result": []}, content_sha256=digest("save", number),
                saved_at=begin + step * number, received_by=ReceivedBy.PULL,
            )  # fmt: skip

    put_in(Annotation, rows())


def _span(cases: list[Case]) -> list[int]:
    return [case.pk for case in cases]


def _masks(study: Study, drawn: list[Case], size: Size) -> list[CaseMask]:
    labels = label_rows(study.protocol.label_names)
    saves: dict[int, list[Annotation]] = {}
    rows = Annotation.objects.filter(task__case__study=study).select_related("task").defer("raw")
    for save in rows.order_by("task__slice_index").iterator():
        saves.setdefault(save.task.case_id, []).append(save)
    every = list(range(size.slices))
    put_in(
        CaseMask,
        (
            CaseMask(
                case=case, inputs_sha256=inputs_digest(case, saves[case.pk]), file="mask.nii.gz",
                sha256=digest("mask", case.pk), annotated_slices=every, unannotated_slices=[], labels=labels,
            )
            for case in drawn
        ),
    )  # fmt: skip
    masks = list(CaseMask.objects.filter(case__study=study).order_by("case"))
    through = CaseMask.annotations.through
    put_in(through, (through(casemask=mask, annotation=save) for mask in masks for save in saves[mask.case_id]))
    for save in [saves[case.pk][0] for case in drawn[:OPEN_FINDINGS]]:
        AnnotationFinding.objects.create(annotation=save, kind=FindingKind.AREA, label="Tumour", numbers=_LOSS)
    return masks


_LOSS = {"area_before": 900, "area_after": 3, "regions_before": 1, "regions_after": 1}


def _stages(
    study: Study, cases: list[Case], drawn: list[Case], people: dict[Role, list[User]], chance: random.Random
) -> None:
    steps = study.protocol.steps
    is_drawn = {case.pk for case in drawn}
    begin = now() - timedelta(days=DAYS)

    def rows() -> Iterator[CaseStage]:
        for number, case in enumerate(cases):
            opened = begin + timedelta(days=DAYS) * (number / len(cases)) * 0.9
            for stage in steps:
                closed = opened + timedelta(hours=chance.expovariate(1 / 60))
                is_last = case.pk not in is_drawn or (not stage.draws and chance.random() > SHARE_REVIEWED)
                if is_last or closed > now():
                    yield CaseStage(case=case, stage=stage.name, opened_at=opened)
                    break
                yield CaseStage(case=case, stage=stage.name, opened_at=opened, closed_at=closed, state=StageState.DONE)
                opened = closed

    put_in(CaseStage, rows())
    made = list(CaseStage.objects.filter(case__study=study).order_by("pk"))
    put_in(Transition, (Transition(row=row, state=StageState.OPEN, created=row.opened_at) for row in made))
    closed = [row for row in made if row.closed_at]
    put_in(Transition, (Transition(row=row, state=row.state, created=row.closed_at) for row in closed))
    roles = {stage.name: Role(stage.done_by) for stage in steps}
    put_in(
        Assignment,
        (
            Assignment(
                row=row, person=chance.choice(people[roles[row.stage]]), how="random", created=row.opened_at,
                state=AssignmentState.DONE if row.closed_at else AssignmentState.OPEN, ended_at=row.closed_at,
            )
            for row in made
        ),
    )  # fmt: skip


def _reviews(masks: list[CaseMask], radiologists: list[User], chance: random.Random) -> None:
    row_of = {
        row.case_id: row for row in CaseStage.objects.filter(stage="review", case__in=[mask.case_id for mask in masks])
    }
    scores = [score.value for score in QualityScore]
    put_in(
        Review,
        (
            Review(
                mask=mask, row=row_of.get(mask.case_id), reviewer=chance.choice(radiologists),
                verdict="return" if chance.random() < SHARE_RETURNED else "approve",
                quality_score=chance.choice(scores), comment="the border at the back",
            )
            for mask in masks
            if chance.random() < SHARE_REVIEWED
        ),
    )  # fmt: skip


_KINDS = (
    (EventKind.PAGE_ACTIVE, 60),
    (EventKind.TASK_OPENED, 20),
    (EventKind.DRAFT, 12),
    (EventKind.PAGE_OPENED, 6),
    (EventKind.PAGE_IDLE, 2),
)


def _events(study: Study, cases: list[Case], people: dict[Role, list[User]], size: Size, chance: random.Random) -> None:
    """Visits to cases, each a row of moments some 25 s apart, spread over the study's time."""
    everybody = [person for theirs in people.values() for person in theirs]
    kinds, weights = zip(*_KINDS, strict=True)
    begin = now() - timedelta(days=DAYS)

    def rows() -> Iterator[Event]:
        made = 0
        while made < size.events:
            at: datetime = begin + timedelta(days=DAYS) * (made / size.events)
            case, person = chance.choice(cases), chance.choice(everybody)
            for _ in range(min(20, size.events - made)):
                at += timedelta(seconds=chance.uniform(10, 40))
                kind = chance.choices(kinds, weights)[0]
                yield Event(study=study, case=case, person=person, kind=kind, created=at)
                made += 1

    put_in(Event, rows())
