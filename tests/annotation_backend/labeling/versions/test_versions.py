"""Versions of a slice: kept as they were, compared, restored, and shown to reviewers and their annotators."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.masks.regions import region_of
from annotation_backend.labeling.models import Annotation, CaseMask, LabelingTask, Restoration, VersionMasks
from annotation_backend.labeling.saves.store import mark_deleted, receive
from annotation_backend.labeling.versions import versions
from annotation_backend.labeling.versions.assembly import current_saves
from annotation_backend.labeling.versions.decoded_masks import decode_missing, mask_in, masks_in, stored_masks
from annotation_backend.labeling.versions.versions import differences, restore
from datasets.errors import RejectedInput
from datasets.image.mask import OEDEMA, TUMOUR
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import (
    SHAPE,
    drawn,
    published,
    registered_case,
    save_body,
    saved,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(people: dict[Role, User]) -> LabelingTask:
    return published(registered_case())[2]


def _mask(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((SHAPE[1], SHAPE[0]), dtype=bool)
    mask[rows, columns] = True
    return mask


def _save(task: LabelingTask, *regions: dict[str, Any], hour: int = 10, **changes: Any) -> Annotation:
    return saved(task, result=list(regions), updated_at=f"2026-11-21T{hour}:00:00.000001Z", **changes)


def _tumour(mask: np.ndarray) -> dict[str, Any]:
    return region_of(mask, region_id="a", score=None)


@pytest.fixture
def two(task: LabelingTask) -> tuple[Annotation, Annotation]:
    one = _save(task, _tumour(_mask(slice(4, 9), slice(6, 15))))
    return one, _save(task, _tumour(_mask(slice(4, 9), slice(8, 18))), hour=11)


def test_a_version_can_be_neither_changed_nor_removed(two: tuple[Annotation, Annotation]) -> None:
    rows = Annotation.objects.all()
    for change in (
        two[0].save,
        two[0].delete,
        rows.delete,
        lambda: rows.update(raw={}),
        lambda: Annotation.objects.bulk_update([two[0]], ["raw"]),
        lambda: Annotation.objects.update_or_create(pk=two[0].pk, defaults={"raw": {}}),
        lambda: Annotation.objects.bulk_create(
            [two[0]], update_conflicts=True, update_fields=["raw"], unique_fields=["id"]
        ),
    ):
        with pytest.raises(TypeError, match="never changes"), transaction.atomic():
            change()
    assert list(rows.values_list("number", flat=True)) == [1, 2]


def test_only_a_rehearsals_versions_are_discarded(two: tuple[Annotation, Annotation]) -> None:
    assert Annotation.objects.all().discard_rehearsals() == 0
    case = two[0].task.case
    case.is_rehearsal = True
    case.save()
    assert Annotation.objects.all().discard_rehearsals() == 2
    assert not Annotation.objects.exists()


def test_masks_are_decoded_once_and_come_back_label_by_label(task: LabelingTask) -> None:
    tumour, oedema = _mask(slice(4, 9), slice(6, 15)), _mask(slice(10, 19), slice(0, 24))
    version = _save(task, _tumour(tumour), region_of(oedema, region_id="b", score=None, label=OEDEMA))
    assert decode_missing(task.case) == 1
    assert decode_missing(task.case) == 0
    stored = VersionMasks.objects.get()
    found = masks_in(stored)
    assert np.array_equal(found[TUMOUR], tumour)
    assert np.array_equal(found[OEDEMA], oedema)
    assert stored.areas == {TUMOUR: 45, OEDEMA: 216}
    assert stored.regions == {TUMOUR: 1, OEDEMA: 1}
    assert stored_masks(version) == stored
    assert not mask_in(stored, "Something else").any()


def test_what_counts_is_asked_in_four_queries_however_many_slices_there_are(task: LabelingTask) -> None:
    tasks = list(task.case.labeling_tasks.all())
    for number, other in enumerate(tasks[:2]):
        _save(other, identifier=100 + number)
    with CaptureQueriesContext(connection) as few:
        current_saves(task.case)
    for number, other in enumerate(tasks):
        _save(other, identifier=200 + number, hour=12)
        _save(other, identifier=200 + number, hour=13)
    with CaptureQueriesContext(connection) as many:
        found = current_saves(task.case)
    assert len(few) == len(many) == 4
    assert [save.label_studio_id for save in found.values() if save] == [200, 201, 202, 203, 204]
    assert all("raw" not in query["sql"].split("FROM")[0] for query in many.captured_queries)


def test_two_versions_differ_by_what_was_added_and_removed(two: tuple[Annotation, Annotation]) -> None:
    [row] = differences(*two)
    assert (row.label, row.area_one, row.area_other, row.added, row.removed) == (TUMOUR, 45, 50, 15, 10)
    assert row.dice == pytest.approx(2 * 35 / 95)


def test_versions_of_two_slices_are_not_compared(two: tuple[Annotation, Annotation]) -> None:
    other = LabelingTask.objects.get(slice_index=3)
    with pytest.raises(RejectedInput, match="versions-of-two-slices"):
        differences(two[0], _save(other, identifier=9))


class _Server:
    """Label Studio's answers to a restoration: what it stores, and the webhook it sends before it answers."""

    def __init__(self, task: LabelingTask, *, alive: set[int], sends_webhook: bool) -> None:
        self.task, self.alive, self.sends_webhook = task, alive, sends_webhook
        self.asked: list[tuple[str, str]] = []

    def __call__(self, method: str, path: str, *, json: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((method, path))
        identifier = int(path.split("/")[3]) if method == "PATCH" else 77
        if method == "PATCH" and identifier not in self.alive:
            raise RejectedInput("label-studio-missing", "It is gone.", remedy="None.")
        saved = save_body(self.task, identifier=identifier, updated_at="2026-11-21T15:00:00.000001Z", updated_by=1)
        saved |= json
        if self.sends_webhook:
            receive({"action": "ANNOTATION_UPDATED", "annotation": saved})
        return saved


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, task: LabelingTask) -> Iterator[Any]:
    def _answer(*, alive: set[int], sends_webhook: bool = True) -> _Server:
        server = _Server(task, alive=alive, sends_webhook=sends_webhook)
        monkeypatch.setattr(versions, "call", server)
        return server

    return _answer


@pytest.mark.parametrize("sends_webhook", [True, False])
def test_a_restored_version_is_a_new_one_with_the_same_content_and_a_name_to_it(
    two: tuple[Annotation, Annotation], people: dict[Role, User], answering: Any, sends_webhook: bool
) -> None:
    server = answering(alive={7}, sends_webhook=sends_webhook)
    record = restore(two[0], person=people[Role.RADIOLOGIST])
    assert server.asked == [("PATCH", "/api/annotations/7/")]
    assert Annotation.objects.count() == 3
    assert record.result.raw["result"] == two[0].raw["result"]
    assert record.result == Annotation.objects.current(two[0].task)
    assert record.person == people[Role.RADIOLOGIST]
    assert record.result.completed_by == two[0].completed_by
    assert Annotation.objects.confirmed().filter(pk=record.result.pk).exists()


def test_who_restores_draws_nothing_and_may_still_give_the_verdict(
    two: tuple[Annotation, Annotation], people: dict[Role, User], answering: Any
) -> None:
    from annotation_backend.labeling.versions.assembly import assemble

    answering(alive={7})
    before = assemble(two[0].task.case)
    assert before is not None
    assert people[Role.DATA_MANAGER].label_studio_id not in before.annotators()
    restore(two[0], person=people[Role.DATA_MANAGER])
    mask = assemble(two[0].task.case)
    assert isinstance(mask, CaseMask)
    assert people[Role.DATA_MANAGER].label_studio_id not in mask.annotators()


def test_a_version_of_a_deleted_annotation_becomes_a_new_annotation(
    two: tuple[Annotation, Annotation], people: dict[Role, User], answering: Any
) -> None:
    mark_deleted(Annotation.objects.filter(label_studio_id=7))
    server = answering(alive=set())
    record = restore(two[0], person=people[Role.RADIOLOGIST])
    assert server.asked == [("POST", f"/api/tasks/{two[0].task.label_studio_id}/annotations/")]
    assert record.result.label_studio_id == 77


def test_a_deletion_that_nobody_heard_of_does_not_stop_a_restoration(
    two: tuple[Annotation, Annotation], people: dict[Role, User], answering: Any
) -> None:
    server = answering(alive=set())
    assert restore(two[0], person=people[Role.RADIOLOGIST]).result is not None
    assert [method for method, _ in server.asked] == ["PATCH", "POST"]


def test_a_slice_without_a_task_is_not_restored_and_leaves_no_record(
    two: tuple[Annotation, Annotation], people: dict[Role, User], answering: Any
) -> None:
    answering(alive={7})
    LabelingTask.objects.filter(pk=two[0].task_id).update(label_studio_id=0)
    version = Annotation.objects.get(pk=two[0].pk)
    with pytest.raises(RejectedInput, match="slice-unpublished"):
        restore(version, person=people[Role.RADIOLOGIST])
    assert not Restoration.objects.exists()


def _address(name: str, **more: int) -> str:
    return page_at(name, "C0001", 2, *more.values())


@pytest.mark.parametrize("role", list(Role))
def test_reviewers_and_who_drew_see_and_restore_versions_and_nobody_else(
    client: Client, people: dict[Role, User], task: LabelingTask, answering: Any, role: Role
) -> None:
    _save(task, _tumour(drawn()), person=people[Role.RADIOLOGIST].label_studio_id)
    answering(alive={7})
    client.force_login(people[role])
    allowed = role is not Role.ANNOTATOR
    assert client.get(_address("slice-versions")).status_code == (200 if allowed else 403)
    assert client.get(_address("compare-versions", one=1, other=1)).status_code == (200 if allowed else 403)
    assert client.get(_address("comparison-picture", one=1, other=1)).status_code == (200 if allowed else 403)
    assert client.get(_address("restore-version", number=1)).status_code == 405 or not allowed
    assert client.post(_address("restore-version", number=1)).status_code == (302 if allowed else 403)
    assert Restoration.objects.count() == allowed


def test_an_annotator_restores_on_an_own_slice(
    client: Client, people: dict[Role, User], two: tuple[Annotation, Annotation], answering: Any
) -> None:
    answering(alive={7})
    client.force_login(people[Role.ANNOTATOR])
    answer = client.post(_address("restore-version", number=1), follow=True)
    assert "as version 3" in answer.content.decode()
    assert Restoration.objects.get().person == people[Role.ANNOTATOR]


def test_a_restoration_that_fails_says_why(
    client: Client, people: dict[Role, User], two: tuple[Annotation, Annotation]
) -> None:
    LabelingTask.objects.filter(pk=two[0].task_id).update(label_studio_id=0)
    client.force_login(people[Role.RADIOLOGIST])
    answer = client.post(_address("restore-version", number=1), follow=True)
    assert answer.status_code == 200
    assert "publish_tasks" in answer.content.decode()


@pytest.mark.parametrize(("one", "other"), [(1, 9), (0, 1), (10**30, 1)])
def test_a_version_that_is_none_is_not_found(
    client: Client, people: dict[Role, User], two: tuple[Annotation, Annotation], one: int, other: int
) -> None:
    client.force_login(people[Role.RADIOLOGIST])
    assert client.get(_address("compare-versions", one=one, other=other)).status_code == 404
    assert client.get(page_at("slice-versions", "C0001", 99)).status_code == 404


def test_the_comparison_shows_numbers_and_a_picture_with_both_outlines(
    client: Client, people: dict[Role, User], two: tuple[Annotation, Annotation]
) -> None:
    import io

    from PIL import Image

    from annotation_backend.labeling.masks.outlines import BLUE, ORANGE, WHITE

    client.force_login(people[Role.RADIOLOGIST])
    page = client.get(_address("compare-versions", one=1, other=2)).content.decode()
    assert "50 (+15 −10), Dice 0.737" in page
    picture = client.get(_address("comparison-picture", one=1, other=2))
    with Image.open(io.BytesIO(picture.content)) as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(10_000)}
    assert {BLUE, ORANGE, WHITE} <= colours


def test_the_commands_list_compare_and_refuse(two: tuple[Annotation, Annotation], capsys: Any) -> None:
    call_command("compare_annotations", "C0001", "2", "--json")
    assert '"number": 2' in capsys.readouterr().out
    call_command("compare_annotations", "C0001", "2", "1", "2", "--json")
    assert '"added": 15' in capsys.readouterr().out
    for words in (["compare_annotations", "C0001", "2", "1"], ["compare_annotations", "C0001", "9"]):
        with pytest.raises(SystemExit) as left:
            call_command(*words)
        assert left.value.code == 2
    with pytest.raises(SystemExit) as left:
        call_command("restore_annotation", "C0001", "2", "1", "--person", "nobody@example.org")
    assert left.value.code == 2
    assert not Restoration.objects.exists()
