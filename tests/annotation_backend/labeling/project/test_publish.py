"""A task's data: pictures in all windows, an order, and tasks of an earlier version brought up to date."""

import pytest
from django.urls import reverse

from annotation_backend.cases.models import Case, Slice
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.project import publish
from annotation_backend.labeling.studio.client import require_no_transaction
from annotation_backend.labeling.watch.tasks import bring_up_to_date
from datasets.errors import TryAgain
from tests.annotation_backend.support.label_studio_double import LabelStudioDouble, answer_with
from tests.annotation_backend.support.records import published, registered_case

pytestmark = pytest.mark.django_db


@pytest.fixture
def case() -> Case:
    return registered_case()


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> LabelStudioDouble:
    double = LabelStudioDouble()
    double.takes_the_place(monkeypatch)
    return double


def _slice(case: Case, role: str, index: int = 2) -> Slice:
    return case.slices.get(role=role, index=index)


def test_each_window_of_a_slice_opens_by_the_same_capability_and_shows_other_greys(client, case: Case) -> None:
    picture = _slice(case, "t2")
    urls = picture.urls_in_windows()
    assert list(urls) == ["standard", "bright", "wide"]
    assert urls["standard"] == picture.url
    contents = [client.get(url).content for url in urls.values()]
    assert contents[0] == picture.path.read_bytes()
    assert len(set(contents)) == len(contents)
    picture.revoked = True
    picture.save()
    assert {client.get(url).status_code for url in urls.values()} == {404}


@pytest.mark.parametrize("window", ["narrow", "", "..", "../../../db", "bright.png", "bright\0", "BRIGHT"])
def test_a_window_that_is_none_names_no_file(client, case: Case, window: str) -> None:
    address = reverse("capability-picture", args=[_slice(case, "t2").token])
    assert client.get(address, {"window": window}).status_code == 404


def test_pictures_of_an_earlier_version_have_the_one_window_they_have(case: Case) -> None:
    picture = _slice(case, "t2")
    del picture.windows["bright"]
    assert list(picture.urls_in_windows()) == ["standard", "wide"]
    assert picture.path_in("bright") is None


def test_a_task_shows_the_companion_first_and_then_other_windows_of_both(case: Case, studio: LabelStudioDouble) -> None:
    tasks = published(case)
    studio.tasks = {task.label_studio_id: {} for task in tasks}
    bring_up_to_date(tasks, studio.rows())
    data = studio.tasks[tasks[2].label_studio_id]
    t1, t2 = _slice(case, "t1").urls_in_windows(), _slice(case, "t2").urls_in_windows()
    assert data["annotated"] == t2["standard"]
    assert data["companions"] == [t1["standard"], t2["bright"], t2["wide"], t1["bright"], t1["wide"]]
    assert data["windows"] == "On the right: 1 T1, 2 T2 bright, 3 T2 wide, 4 T1 bright, 5 T1 wide"


def test_tasks_of_an_earlier_version_keep_their_state_and_comment_and_are_changed_once(
    case: Case, studio: LabelStudioDouble
) -> None:
    tasks = published(case)
    old = {"state": "returned", "review_comment": "the upper end", "case": case.code, "own": "of the site"}
    studio.tasks = {task.label_studio_id: dict(old) for task in tasks}
    LabelingTask.objects.update(mirrored_state="returned", mirrored_comment="the upper end")
    bring_up_to_date(LabelingTask.objects.all(), publish._in_label_studio(tasks[0].project, tasks))
    assert all(old.items() <= data.items() for data in studio.tasks.values())
    orders = [studio.tasks[task.label_studio_id]["order"] for task in tasks]
    assert orders == sorted(orders) == [f"P0001-C0001-{index:04d}" for index in range(len(tasks))]
    studio.changes.clear()
    bring_up_to_date(LabelingTask.objects.all(), publish._in_label_studio(tasks[0].project, tasks))
    assert studio.changes == []


def test_where_label_studio_does_not_take_new_addresses_the_old_ones_go_on(
    case: Case, studio: LabelStudioDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = published(case)
    studio.tasks = {task.label_studio_id: {"case": case.code, "slice": task.slice_index} for task in tasks}
    before = set(case.slices.values_list("token", flat=True))

    def silent(method: str, path: str, **options: object) -> object:
        require_no_transaction()
        if method == "PATCH":
            raise TryAgain("label-studio-down", "It is down.", remedy="Wait.")
        return studio.call(method, path, **options)

    with monkeypatch.context() as patched:
        answer_with(patched, silent)
        with pytest.raises(TryAgain):
            publish.renew_addresses(case)
    assert set(case.slices.values_list("token", flat=True)) == before
    assert publish.renew_addresses(case) == len(tasks)
    now = set(case.slices.values_list("token", flat=True))
    assert not now & before
    assert {data["annotated"].rpartition("/")[2].removesuffix(".png") for data in studio.tasks.values()} < now
