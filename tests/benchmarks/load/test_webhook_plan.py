"""The plan of the webhook flood."""

import json
from collections import Counter

import pytest

from annotation_backend.labeling.saves.store import receive
from benchmarks.load.webhook_plan import Delivery, Place, plan, saved_at
from datasets.errors import RejectedInput

PLACES = [Place(task, 1, 2) for task in range(10, 40)]


@pytest.fixture(scope="module")
def deliveries() -> list[Delivery]:
    return plan(PLACES, [[{"type": "brushlabels"}], []], rate=100.0, seconds=10.0)


def test_a_hundred_go_out_each_second(deliveries: list[Delivery]) -> None:
    assert [delivery.at for delivery in deliveries] == pytest.approx([number / 100 for number in range(1000)])


def test_three_in_ten_are_copies(deliveries: list[Delivery]) -> None:
    counts = Counter(delivery.save.key for delivery in deliveries)
    assert len(counts) == 700
    assert sorted(set(counts.values())) == [1, 2]


def test_one_in_ten_is_a_creation_that_its_update_overtook(deliveries: list[Delivery]) -> None:
    first: dict[tuple[int, int], float] = {}
    for delivery in deliveries:
        first.setdefault((delivery.save.annotation, delivery.save.version), delivery.at)
    overtaken = sum(first[annotation, 1] > first[annotation, 2] for annotation, version in first if version == 2)
    assert overtaken == 100


def test_saves_say_when_they_were_made(deliveries: list[Delivery]) -> None:
    bodies = [json.loads(delivery.save.body) for delivery in deliveries]
    for delivery, body in zip(deliveries, bodies, strict=True):
        save = delivery.save
        assert body["annotation"]["updated_at"] == saved_at(save.annotation, save.version).isoformat()
        assert body["action"] == ("ANNOTATION_CREATED", "ANNOTATION_UPDATED")[save.version - 1]
    assert {body["annotation"]["task"] for body in bodies} == set(range(10, 40))


def test_the_same_seed_gives_the_same_plan(deliveries: list[Delivery]) -> None:
    again = plan(PLACES, [[{"type": "brushlabels"}], []], rate=100.0, seconds=10.0)
    other = plan(PLACES, [[{"type": "brushlabels"}], []], rate=100.0, seconds=10.0, seed=1)
    assert again == deliveries
    assert other != deliveries


@pytest.mark.django_db
def test_our_service_reads_the_bodies(deliveries: list[Delivery]) -> None:
    with pytest.raises(RejectedInput) as refused:
        receive(json.loads(deliveries[0].save.body))
    assert refused.value.code == "task-unknown"
