"""A task's data: pictures in all windows, an order, and tasks of an earlier version brought up to date."""

import pytest
from django.urls import reverse

from annotation_backend.cases.exclusion import exclude, take_back
from annotation_backend.cases.models import Case, Slice
from annotation_backend.labeling.models import LabelingProject, LabelingTask
from annotation_backend.labeling.project import publish
from annotation_backend.labeling.studio.client import require_no_transaction
from annotation_backend.labeling.studio.task_data import digest_of_data, pictures_by_index, task_data
from annotation_backend.labeling.versions.assembly import current_saves
from annotation_backend.labeling.watch import services
from annotation_backend.labeling.watch.tasks import bring_up_to_date
from datasets.errors import RejectedInput, TryAgain
from tests.annotation_backend.support.label_studio_double import LabelStudioDouble, answer_with
from tests.annotation_backend.support.records import SHAPE, accounts, published, registered_case, saved

pytestmark = pytest.mark.django_db

SLICES = SHAPE[2]


@pytest.fixture
def case() -> Case:
    return registered_case()


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> LabelStudioDouble:
    double = LabelStudioDouble()
    double.takes_the_place(monkeypatch)
    monkeypatch.setattr(services, "PAUSE_SECONDS", 0)
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
    assert publish.publish(case) == 0
    assert all(old.items() <= data.items() for data in studio.tasks.values())
    orders = [studio.tasks[task.label_studio_id]["order"] for task in tasks]
    assert orders == sorted(orders) == [f"P0001-C0001-{index:04d}" for index in range(len(tasks))]
    studio.changes.clear()
    assert publish.publish(case) == 0
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


def test_a_case_is_published_once_with_a_task_for_each_slice(case: Case, studio: LabelStudioDouble) -> None:
    assert publish.publish(case) == SLICES
    project = LabelingProject.objects.get()
    assert studio.project["title"] == project.title
    assert (len(studio.backends), len(studio.webhooks)) == (1, 1)
    rows = LabelingTask.objects.order_by("slice_index")
    assert [(row.project, row.case, row.slice_index) for row in rows] == [(project, case, n) for n in range(SLICES)]
    for row, pair in zip(rows, pictures_by_index(case).values(), strict=True):
        there = studio.tasks[row.label_studio_id]
        assert there == task_data(case, row.slice_index, pair)
        assert (row.state, row.mirrored_state, row.written) == ("pending", "pending", [digest_of_data(there)])
    studio.changes.clear()
    assert publish.publish(case) == 0
    assert studio.changes == []
    assert LabelingTask.objects.count() == SLICES


def test_a_task_that_was_deleted_there_is_made_anew_and_keeps_what_was_drawn(
    case: Case, studio: LabelStudioDouble
) -> None:
    publish.publish(case)
    accounts()
    gone = LabelingTask.objects.get(slice_index=3)
    save = saved(gone)
    before = {row.pk: row.label_studio_id for row in LabelingTask.objects.all()}
    del studio.tasks[gone.label_studio_id]
    assert publish.publish(case) == 1
    after = {row.pk: row.label_studio_id for row in LabelingTask.objects.all()}
    assert {pk for pk in before if before[pk] != after[pk]} == {gone.pk}
    anew = LabelingTask.objects.get(pk=gone.pk)
    assert studio.tasks[anew.label_studio_id]["slice"] == 3
    assert (anew.state, current_saves(case)[3]) == ("annotated", save)
    assert [row.label_studio_id for row in anew.former.all()] == [gone.label_studio_id]


def test_without_pictures_and_while_excluded_nothing_is_made(case: Case, studio: LabelStudioDouble) -> None:
    exclude(case, reason="consent withdrawn")
    with pytest.raises(RejectedInput, match="case-excluded"):
        publish.publish(case)
    take_back(case)
    Slice.objects.all().delete()
    with pytest.raises(RejectedInput, match="case-not-exported"):
        publish.publish(Case.objects.get())
    assert (studio.tasks, studio.changes, LabelingTask.objects.count()) == ({}, [], 0)


@pytest.mark.parametrize("numbers", [[], [1, 2], [7, 7, 7, 7, 7], [1, 2, 3, 4, "5"], [1, 2, 3, 4, 5, 5]])
def test_another_count_of_tasks_than_were_to_be_made_is_recorded_nowhere(
    case: Case, studio: LabelStudioDouble, monkeypatch: pytest.MonkeyPatch, numbers: list[object]
) -> None:
    def miscounting(method: str, path: str, **options: object) -> object:
        return {"task_ids": numbers} if path.endswith("/import") else studio.call(method, path, **options)

    answer_with(monkeypatch, miscounting)
    with pytest.raises(TryAgain, match="label-studio-answer"):
        publish.publish(case)
    assert LabelingTask.objects.count() == 0


def test_a_task_that_cannot_be_read_is_named_and_made_anew_where_somebody_asks_for_it(
    case: Case, studio: LabelStudioDouble
) -> None:
    publish.publish(case)
    broken = LabelingTask.objects.get(slice_index=1)
    studio.unreadable = {broken.label_studio_id}
    assert publish.publish(case) == 0, "the data alone can be read"
    kept = dict(studio.tasks)
    findings: list[str] = []
    assert publish.publish(case, replace_unreadable=True, findings=findings) == 1
    assert findings == []
    anew = LabelingTask.objects.get(pk=broken.pk)
    assert anew.label_studio_id not in kept
    assert studio.tasks == {number: data for number, data in kept.items() if number != broken.label_studio_id} | {
        anew.label_studio_id: kept[broken.label_studio_id]
    }
