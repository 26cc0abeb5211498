"""Receivers of signals from labelling's own lower rooms and from the apps below; they queue jobs."""

from typing import Any

from django.dispatch import receiver

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.cases.signals import annotated_asked, case_excluded, case_taken_back, published_asked
from annotation_backend.inference.jobs import embed_case
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling.jobs import (
    assemble_case,
    close_studio_account,
    draw_stage,
    follow_exclusion,
    hide_case_predictions,
    mirror_case_states,
    predict_case,
    renew_addresses,
)
from annotation_backend.labeling.models import (
    EVIDENCE,
    Annotation,
    CaseMask,
    LabelingProject,
    LabelingTask,
    TaskState,
)
from annotation_backend.labeling.predictions import neighbours
from annotation_backend.labeling.protocol_changes import require_labels_kept
from annotation_backend.labeling.signals import (
    addresses_renewed,
    annotation_stored,
    predictions_outdated,
    project_changed,
    saves_arrived,
    states_outdated,
)
from annotation_backend.labeling.watch.jobs import look_over_project
from annotation_backend.registry.models import Model
from annotation_backend.registry.signals import automatic_model_promoted, model_promoted
from annotation_backend.stages.models import CaseStage, StageState
from annotation_backend.stages.signals import annotators_asked, stage_opened
from annotation_backend.studies.models import Study
from annotation_backend.studies.signals import account_closed, protocol_asked, role_taken
from datasets.study.protocol import Protocol
from training.table.table import method_called


@receiver(saves_arrived)
def assemble_soon(*, case_code: str, **_signal: Any) -> None:
    """Queues the job that works through a case's new saves."""
    queue_once(assemble_case, case_code=case_code)


@receiver(annotation_stored)
def propagate_to_neighbours(*, annotation: Annotation, **_signal: Any) -> None:
    """Has a saved mask propagated to its neighbours, in the background."""
    neighbours.propagate_after_save(annotation)


@receiver(predictions_outdated)
def predict_anew(*, case_code: str, **_signal: Any) -> None:
    """Queues fresh predictions for a case's tasks that nobody submitted."""
    queue_once(predict_case, case_code=case_code)


@receiver(states_outdated)
def mirror_soon(*, case_code: str, **_signal: Any) -> None:
    """Queues that Label Studio is told the states of a case's tasks."""
    queue_once(mirror_case_states, case_code=case_code)


@receiver(project_changed)
def look_soon(*, project: int, **_signal: Any) -> None:
    """Queues a look at a project that somebody changed."""
    queue_once(look_over_project, project=project)


@receiver(annotated_asked)
def has_annotations(*, case: Case, **_signal: Any) -> bool:
    """Whether the case has an annotation, also a deleted one, which can be restored; or got further than that.

    A skip without a region does not count, nor a save that Label Studio did not confirm, which may be forged; one that
    it was not asked about yet does.
    """
    saves = Annotation.objects.filter(task__case=case).exclude(confirmation__outcome__in=EVIDENCE)
    saves = saves.exclude(was_cancelled=True, raw__result=[])
    further = LabelingTask.objects.filter(case=case).exclude(state=TaskState.PENDING)
    return saves.exists() or further.exists() or CaseMask.objects.filter(case=case).exists()


@receiver(annotators_asked)
def who_saved(*, case: Case, **_signal: Any) -> set[int]:
    """Keys of the people whom a save of the case names, also one that counts no more."""
    saves = Annotation.objects.filter(task__case=case).exclude(confirmation__outcome__in=EVIDENCE)
    numbers = {number for pair in saves.order_by().values_list("completed_by", "updated_by") for number in pair} - {0}
    return set(User.objects.filter(label_studio_id__in=numbers).values_list("pk", flat=True))


@receiver(published_asked)
def has_tasks(*, case: Case, **_signal: Any) -> bool:
    """Whether the case has tasks, also ones that were deleted in Label Studio: their records stay."""
    return LabelingTask.objects.filter(case=case).exists()


@receiver(automatic_model_promoted)
def draw_waiting_tasks_anew(*, study: Study, **_signal: Any) -> None:
    """Queues fresh predictions for every case of a study with tasks that nobody submitted."""
    for code in _waiting_cases(study):
        queue_once(predict_case, case_code=code)
    automatic = [stage.name for stage in study.protocol.steps if stage.is_automatic]
    rows = CaseStage.objects.filter(case__study=study, stage__in=automatic, state=StageState.OPEN)
    for code in rows.values_list("case__code", flat=True):
        queue_once(draw_stage, case_code=code)


@receiver(stage_opened)
def begin_stage(*, row: CaseStage, **_signal: Any) -> None:
    """Queues what a model has to do in a stage, or that its masks are shown no more."""
    if row.rules is not None and row.rules.is_automatic:
        queue_once(draw_stage, case_code=row.case.code)
    elif row.rules is not None and row.rules.draws and row.rules.hides_models:
        queue_once(hide_case_predictions, case_code=row.case.code)


@receiver(model_promoted)
def embed_waiting_tasks(*, model: Model, study: Study, **_signal: Any) -> None:
    """Queues the embedding of slices for the study's cases with tasks that nobody submitted, if the model embeds."""
    if method_called(model.method).embeds:
        for code in _waiting_cases(study):
            queue_once(embed_case, case_code=code)


@receiver(protocol_asked)
def keep_what_was_drawn(*, study: Study, protocol: Protocol, **_signal: Any) -> None:
    """Refuses a protocol that would orphan what was drawn or imported; what it changes is brought up to date soon."""
    require_labels_kept(study, protocol)
    if protocol.labels == study.protocol.labels:
        return
    for project in LabelingProject.objects.filter(study=study, is_retired=False):
        queue_once(look_over_project, project=project.pk)
    drawn = Case.objects.filter(study=study, masks__isnull=False).distinct()
    for code in drawn.values_list("code", flat=True):
        queue_once(assemble_case, case_code=code)


@receiver([case_excluded, addresses_renewed])
def bring_tasks_in_line(*, case: Case, **_signal: Any) -> None:
    """Queues that Label Studio shows an excluded case's tasks no more, or the new addresses of its pictures.

    Saves in hidden tasks are still kept here.
    """
    if case.labeling_tasks.exists():
        queue_once(follow_exclusion, case_code=case.code)


@receiver(case_taken_back)
def show_again(*, case: Case, **_signal: Any) -> None:
    """Queues that the case's tasks come back with their pictures' new addresses, and that saves since are taken up."""
    if case.labeling_tasks.exists():
        queue_once(follow_exclusion, case_code=case.code)
        queue_once(predict_case, case_code=case.code)
        queue_once(assemble_case, case_code=case.code)


@receiver(role_taken)
def end_kept_addresses(*, study: Study, **_signal: Any) -> None:
    """Queues new addresses for a study's pictures: who left it may have kept the old ones."""
    queue_once(renew_addresses, study=study.name)


@receiver(account_closed)
def close_in_label_studio(*, person: User, **_signal: Any) -> None:
    """Queues that the account in Label Studio is closed, and new addresses for all pictures."""
    queue_once(close_studio_account, person=person.pk)
    queue_once(renew_addresses, study="")


def _waiting_cases(study: Study) -> list[str]:
    waiting = (
        Case.objects.not_excluded()
        .filter(study=study, labeling_tasks__state=TaskState.PENDING, labeling_tasks__project__is_retired=False)
        .distinct()
    )
    return list(waiting.values_list("code", flat=True))
