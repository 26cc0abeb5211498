"""The simulated annotator's requests, against a Label Studio of a few lines."""

import copy
import random
import threading
from collections import deque
from typing import Any

import numpy as np
import pytest

from annotation_backend.labeling.masks.regions import mask_of, region_of
from benchmarks.load.annotator_load import patients_for
from benchmarks.load.figures import Timings
from benchmarks.load.installation import dealt
from benchmarks.load.simulated_annotator import Annotator, Assignment, Pace, Server, refusal_in

TUMOUR = np.zeros((20, 30), dtype=bool)
TUMOUR[8:14, 10:20] = True

CONTROLS = {
    "image": "image",
    "point": "smart_point",
    "point_label": "Tumour point",
    "brush": "brush",
    "brush_label": "Tumour",
}


class Answer:
    """What the annotator needs of a response."""

    def __init__(self, body: Any, status: int = 200) -> None:
        self.ok, self.status_code, self._body = status < 400, status, body
        self.headers = {"Content-Type": "application/json"}

    def json(self) -> Any:
        return self._body


class FakeSession:
    """Answers as Label Studio does, and keeps what was asked."""

    def __init__(self, *, busy: int = 0, submit_status: int = 201) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self._busy, self._submit_status = busy, submit_status

    def request(self, method: str, url: str, **kwargs: Any) -> Answer:
        path = url.removeprefix("http://studio")
        self.asked.append((method, path, copy.deepcopy(kwargs.get("json"))))
        if "interactive-annotating" in path:
            if self._busy:
                self._busy -= 1
                return Answer({"errors": ["503 Server Error: Service Unavailable for url: http://x"]})
            return Answer({"data": {"result": [region_of(TUMOUR, region_id="t1", score=None)]}})
        if path.endswith("/drafts"):
            return Answer({"id": 77}, 201)
        if path.endswith("/annotations"):
            return Answer({"id": 5}, self._submit_status)
        return Answer(
            {"predictions": [{"id": 3}], "data": {"annotated": "http://us/a.png", "companion": "http://us/b"}}
        )

    def bodies(self, end: str) -> list[Any]:
        return [body for _, path, body in self.asked if path.endswith(end)]


def _annotator(session: FakeSession) -> Annotator:
    server = Server("http://studio", 1, 9, CONTROLS)
    pace = Pace(think=(0.0, 0.0), again=0.0)
    return Annotator(server, "a@b.c", "secret", Timings(), pace, random.Random(0), _session=session)  # type: ignore[arg-type]


def _work(annotator: Annotator) -> None:
    annotator.work(deque([Assignment(4, TUMOUR)]), threading.Event())


def test_points_accumulate_and_the_last_is_negative_and_outside() -> None:
    session = FakeSession()
    _work(_annotator(session))
    contexts = [body["context"]["result"] for body in session.bodies("interactive-annotating")]
    assert [len(points) for points in contexts] == [1, 2, 3]
    assert [point["is_positive"] for point in contexts[-1]] == [True, True, False]
    assert contexts[-1][:2] == contexts[1]
    for point in contexts[-1]:
        row, column = int(point["value"]["y"] / 100 * 20), int(point["value"]["x"] / 100 * 30)
        assert TUMOUR[row, column] == point["is_positive"]


def test_what_is_submitted_is_what_is_remembered() -> None:
    session = FakeSession()
    annotator = _annotator(session)
    _work(annotator)
    [body] = session.bodies("/annotations")
    [save] = annotator.submitted
    drawn = mask_of(body["result"], height=20, width=30)
    assert np.array_equal(drawn.pixels, save.mask)
    assert (TUMOUR & save.mask).sum() == TUMOUR.sum() < save.mask.sum()
    assert (save.task, save.annotation) == (4, 5)
    assert (body["draft_id"], body["parent_prediction"]) == (77, 3)


def test_told_that_the_service_is_busy_the_person_tries_again() -> None:
    session = FakeSession(busy=2)
    annotator = _annotator(session)
    _work(annotator)
    assert len(session.bodies("interactive-annotating")) == 5
    assert annotator.timings.wrong["click 1"] == {"busy (503)": 2}
    assert len(annotator.timings.seconds["click 1"]) == 1


def test_a_submit_that_failed_is_no_save() -> None:
    annotator = _annotator(FakeSession(submit_status=500))
    _work(annotator)
    assert (annotator.submitted, annotator.unacknowledged) == ([], [4])
    assert annotator.timings.wrong["submit"] == {"status 500": 1}


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        ({"data": {"result": []}}, ""),
        ({"errors": ["429 Client Error: Too Many Requests for url: http://x"]}, "busy (429)"),
        ({"errors": ["400 Client Error: Bad Request for url: http://x"]}, "status 400"),
        ({"errors": ["HTTPConnectionPool: Read timed out."]}, "error"),
        ({"failed": "status 502"}, "status 502"),
        ({"data": None}, "no answer"),
        (True, "no answer"),
    ],
)
def test_label_studio_hides_refusals_in_a_success(answer: Any, refusal: str) -> None:
    assert refusal_in(answer) == refusal


def test_each_person_gets_neighbouring_tasks_and_none_is_left() -> None:
    tasks = [Assignment(number, TUMOUR) for number in range(11)]
    numbers = [[task.task for task in part] for part in dealt(tasks, 3)]
    assert numbers == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]


@pytest.mark.parametrize(("annotators", "seconds", "patients"), [(1, 60.0, 1), (50, 330.0, 17), (50, 3.0, 6)])
def test_there_are_tasks_for_the_whole_time(annotators: int, seconds: float, patients: int) -> None:
    found = patients_for(annotators, seconds, (8.0, 15.0))
    assert found == patients
    assert found * 18 >= annotators * seconds / (6 * 11.5)
