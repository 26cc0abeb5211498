"""Label Studio's button *Start Training*: one job, and a model that serves nothing until it is promoted."""

import pytest
from django_tasks_db.models import DBTaskResult

from annotation_backend.labeling.saves.store import receive
from annotation_backend.learning.jobs import train_on_approved
from datasets.errors import RejectedInput
from tests.annotation_backend.support.records import published, registered_case

pytestmark = pytest.mark.django_db


def test_pressing_the_button_twice_queues_one_training() -> None:
    published(registered_case())
    body = {"action": "START_TRAINING", "project": {"id": 1, "title": "Test"}}
    assert [receive(body), receive(body)] == ["queued", "queued"]
    [job] = DBTaskResult.objects.ready()
    assert (job.task_path, job.queue_name) == (train_on_approved.module_path, "training")


@pytest.mark.parametrize("project", [None, {"id": 77}, {"id": "x"}, "all"])
def test_a_training_for_no_project_of_ours_is_refused(project: object) -> None:
    published(registered_case())
    with pytest.raises(RejectedInput):
        receive({"action": "START_TRAINING", "project": project})
    assert not DBTaskResult.objects.exists()


def test_where_nothing_is_approved_nothing_is_trained() -> None:
    assert train_on_approved.func() is None
