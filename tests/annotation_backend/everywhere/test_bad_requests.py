"""Bad requests: each gets a named answer, leaves no traceback, and the next task is answered as ever.

What lies deeper has tests of its own: codes of masks in `test_brush`, `test_bitmask` and `test_regions`; damaged models
in `test_serving`; bodies, numbers and the order of webhooks in `test_webhook` and `test_reconcile`; batches in
`test_batches`; a real server in `test_bad_connections`.
"""

import base64
import gzip
import json
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from annotation_backend.inference.models import SessionPrompt
from annotation_backend.inference.serving import admission, serving
from annotation_backend.labeling.masks.controls import (
    EXTREME_LABEL,
    EXTREME_POINT,
    IMAGE,
    SMART_BOX,
    SMART_POINT,
)
from annotation_backend.labeling.masks.regions import mask_of, region_of
from annotation_backend.labeling.models import Annotation, ConfirmationOutcome, DeletionAsked, LabelingTask
from annotation_backend.labeling.predictions import interactive
from annotation_backend.labeling.saves.confirm import note
from annotation_backend.labeling.studio.credentials import SECRET_HEADER, basic_auth, webhook_headers
from annotation_backend.registry.model_registry import models_folder, promote, register_package
from annotation_backend.registry.models import Promotion, PromptKind
from tests.annotation_backend.support.records import (
    SHAPE,
    accounts,
    drawn,
    published,
    registered_case,
    save_body,
    the_study,
)
from tests.annotation_backend.support.segmenters import BrightSegmenter, drawn_by, known_model
from training.memory import process_memory
from training.model_package import WEIGHTS_NAME
from training.pretrained.shipped import shipped_packages
from training.segmenters.segmenter import Segmentation, SegmentationRequest

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

WIDTH, HEIGHT = SHAPE[0], SHAPE[1]
ML_URLS = ["ml-health", "ml-setup", "ml-predict", "ml-versions", "ml-webhook"]

Body = dict[str, Any]


@dataclass
class Desk:
    """A published case with models for every prompt, and whoever sends requests."""

    tasks: list[LabelingTask]
    caplog: pytest.LogCaptureFixture

    @property
    def task(self) -> LabelingTask:
        """The one that bad requests are about."""
        return self.tasks[2]

    def send(self, body: object, *, url: str = "ml-predict", headers: dict[str, str] | None = None) -> Any:
        """Posts a body, as JSON unless it is bytes; whatever came before is out of the log."""
        self.caplog.clear()
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = headers or (webhook_headers() if url == "ml-webhook" else {"authorization": basic_auth()})
        client = Client(raise_request_exception=False)
        return client.post(reverse(url), content, content_type="application/json", headers=headers)

    def prompted(self, *regions: object, of: LabelingTask | None = None, **rows: Any) -> Body:
        """An interactive request."""
        task = of or self.task
        return {
            "project": f"{task.project.label_studio_id}.1",
            "tasks": [{"id": task.label_studio_id, **rows}],
            "params": {"context": {"result": list(regions)}},
        }

    def batch(self, *tasks: object, **changes: Any) -> Body:
        """A request without a prompt."""
        return {"project": "1.1", "tasks": list(tasks), **changes}

    def refuses(self, body: object, code: str, *, status: int = 400, **options: Any) -> None:
        """Sends it, and expects this answer and no harm."""
        answer = self.send(body, **options)
        self.is_quiet(answer)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        self.goes_on()

    def answers(self, body: object, **options: Any) -> Body:
        """Sends it, and expects an answer and no harm."""
        answer = self.send(body, **options)
        self.is_quiet(answer)
        assert answer.status_code == 200, answer.content
        self.goes_on()
        return dict(answer.json())

    def says_no(self, body: object, code: str) -> None:
        """Sends it, and expects that the annotator is told why there is no mask."""
        [result] = self.answers(body)["results"]
        assert result["refused"]["code"] == code
        assert [region["type"] for region in result["result"]] == ["textarea"]

    def is_quiet(self, answer: Any) -> None:
        """No traceback to anybody, and nothing in the log that calls for a person."""
        assert b"Traceback" not in answer.content
        assert "Traceback" not in self.caplog.text
        assert [record for record in self.caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
        assert answer["Content-Type"].startswith("application/json")

    def goes_on(self) -> None:
        """Another task, prompted and in a batch, is answered as ever."""
        prompted = self.send(self.prompted(point("sound"), of=self.tasks[3])).json()
        [batched] = self.send(self.batch({"id": self.tasks[3].label_studio_id})).json()["results"]
        for result in (*prompted["results"], batched):
            assert mask_of(result["result"], height=HEIGHT, width=WIDTH).pixels.any()
        SessionPrompt.objects.filter(region_id="sound").delete()


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Desk:
    """Models that draw what is bright; nothing goes on behind an answer."""
    drawn_by(monkeypatch, BrightSegmenter())
    for name in ("propagate_after_prompt", "propagate_after_save"):
        monkeypatch.setattr(interactive.neighbours, name, lambda *_args, **_options: None)
    known_model(method="clicks-2d", kinds=(PromptKind.POINT, PromptKind.BOX, PromptKind.AUTOMATIC))
    known_model("ends", method="six-points", kinds=(PromptKind.EXTREME_POINTS,))
    accounts()
    return Desk(published(registered_case()), caplog)


def point(name: str, x: object = 45.0, y: object = 30.0, /, *, label: str = "Tumour point", **changes: Any) -> Body:
    """A smart point."""
    return {
        "id": name,
        "type": "keypointlabels",
        "from_name": EXTREME_POINT if label == EXTREME_LABEL else SMART_POINT,
        "to_name": IMAGE,
        "is_positive": True,
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "value": {"x": x, "y": y, "width": 0.3, "keypointlabels": [label]},
        **changes,
    }


def box(**value: object) -> Body:
    """A smart box."""
    whole = {"x": 10.0, "y": 10.0, "width": 50.0, "height": 50.0, "rectanglelabels": ["Tumour box"]}
    return {
        "id": "box",
        "type": "rectanglelabels",
        "from_name": SMART_BOX,
        "to_name": IMAGE,
        "value": {**whole, **value},
    }


# Tasks

NO_TASKS = {
    "none": None,
    "a string": "all",
    "an object": {"id": 103},
    "a number": 103,
    "a list of nothing": [None],
    "a list of strings": ["103"],
    "a string as id": [{"id": "103"}],
    "a boolean as id": [{"id": True}],
    "a fraction as id": [{"id": 103.0}],
    "no id": [{}],
    "ten thousand strings": ["103"] * 10_000,
}


@pytest.mark.parametrize("name", NO_TASKS)
def test_what_is_no_list_of_tasks(desk: Desk, name: str) -> None:
    desk.refuses({"project": "1.1", "tasks": NO_TASKS[name]}, "request-malformed")


def test_a_request_without_a_list_of_tasks_is_malformed_and_an_empty_list_has_no_answers(desk: Desk) -> None:
    desk.refuses({"project": "1.1"}, "request-malformed")
    assert desk.answers(desk.batch()) == {"results": []}


def test_a_prompt_comes_with_exactly_one_task(desk: Desk) -> None:
    body = desk.prompted(point("a"))
    desk.refuses({**body, "tasks": body["tasks"] * 2}, "request-malformed")
    desk.refuses({**body, "tasks": []}, "request-malformed")


def test_fields_that_nobody_knows_are_passed_over(desk: Desk) -> None:
    number = desk.task.label_studio_id
    [answer] = desk.answers(desk.batch({"id": number, "x": [[]] * 9}, more=1))["results"]
    assert answer["result"]


def test_among_ten_thousand_tasks_of_nobody_ours_is_answered(desk: Desk) -> None:
    rows = [{"id": number} for number in range(10_000, 20_000)]
    answers = desk.answers(desk.batch(*rows, {"id": desk.task.label_studio_id}))["results"]
    assert len(answers) == 10_001
    assert [bool(answer) for answer in answers] == [False] * 10_000 + [True]


# Project and label_config

NO_PROJECTS = {
    "none": None,
    "empty": "",
    "a word": "abc",
    "a power": "1e3",
    "a list": [],
    "an object": {"id": 1},
    "a boolean": True,
    "negative": "-1.1",
    "five thousand digits": "9" * 5000,
    "superscript": "\N{SUPERSCRIPT TWO}.1",
    "half a character": "\ud800",
}


@pytest.mark.parametrize("name", NO_PROJECTS)
def test_what_is_no_project(desk: Desk, name: str) -> None:
    desk.refuses({**desk.prompted(point("a")), "project": NO_PROJECTS[name]}, "request-malformed")


def test_a_request_without_a_project_is_malformed(desk: Desk) -> None:
    desk.refuses({"tasks": []}, "request-malformed")


@pytest.mark.parametrize("project", ["99.1", str(2**63), 0], ids=str)
def test_a_project_that_is_not_ours(desk: Desk, project: object) -> None:
    desk.refuses({**desk.prompted(point("a")), "project": project}, "task-unknown")
    number = desk.task.label_studio_id
    desk.refuses(desk.batch({"id": number}, project=project), "task-unknown")


def _laughs() -> str:
    lines = [f'<!ENTITY a{at} "{f"&a{at - 1};" * 10}">' for at in range(1, 10)]
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{"".join(lines)}]><View>&a9;</View>'


CONFIGS = {
    "none": None,
    "a number": 7,
    "empty": "",
    "invalid": "<View",
    "billion laughs": _laughs(),
    "external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><View>&e;</View>',
    "remote entity": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><View/>',
    "a megabyte": "<View>" * 200_000,
}


@pytest.mark.parametrize("name", CONFIGS, ids=lambda name: f"label_config {name}")
def test_a_label_config_is_never_parsed(desk: Desk, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(*_args: object, **_options: object) -> None:
        raise AssertionError

    for parser in ("xml.etree.ElementTree.XMLParser", "xml.dom.minidom.parseString", "xml.sax.make_parser"):
        monkeypatch.setattr(parser, parsed)
    with overheard() as touched:
        [answer] = desk.answers({**desk.prompted(point("a")), "label_config": CONFIGS[name]})["results"]
        desk.answers(desk.batch({"id": desk.task.label_studio_id}, label_config=CONFIGS[name]))
        assert desk.send({"project": "1.1", "schema": CONFIGS[name]}, url="ml-setup").status_code == 200
    assert mask_of(answer["result"], height=HEIGHT, width=WIDTH).pixels.any()
    assert_only_own_files(touched)


# Points and boxes

PLACES: dict[str, object] = {
    "left of it": -0.1,
    "right of it": 100.1,
    "NaN": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "string": "50",
    "none": None,
    "boolean": True,
    "list": [50.0],
    "four hundred digits": 10**400,
}


@pytest.mark.parametrize("name", PLACES)
def test_a_point_that_is_nowhere_on_the_picture(desk: Desk, name: str) -> None:
    for region in (point("a", PLACES[name]), point("a", 45.0, PLACES[name]), box(x=PLACES[name])):
        desk.refuses(desk.prompted(region), "prompt-position")
    assert not SessionPrompt.objects.exists()


@pytest.mark.parametrize("side", [-20.0, 91.0, float("nan"), "5", None], ids=str)
def test_a_box_that_leaves_the_picture(desk: Desk, side: object) -> None:
    desk.refuses(desk.prompted(box(width=side)), "prompt-position")


STRANGE_POINTS: dict[str, tuple[dict[str, Any], str]] = {
    "wrong original_width": ({"original_width": 512}, "prompt-picture"),
    "original_width in letters": ({"original_width": str(WIDTH)}, "prompt-picture"),
    "image_rotation": ({"image_rotation": 90}, "prompt-rotated"),
    "image_rotation in letters": ({"image_rotation": "0"}, "prompt-rotated"),
    "rotation": ({"value": {**point("a")["value"], "rotation": 1e-3}}, "prompt-rotated"),
    "another picture": ({"item_index": 1}, "prompt-picture"),
    "no value": ({"value": None}, "prompt-control"),
    "no id": ({"id": None}, "prompt-control"),
    "a number as id": ({"id": 7}, "prompt-control"),
    "a long id": ({"id": "x" * 10_000}, "prompt-control"),
    "half a character as id": ({"id": "\ud800"}, "prompt-control"),
    "NUL as id": ({"id": "a\0b"}, "prompt-control"),
}


@pytest.mark.parametrize("name", STRANGE_POINTS)
def test_a_point_as_the_editor_makes_none(desk: Desk, name: str) -> None:
    change, code = STRANGE_POINTS[name]
    desk.refuses(desk.prompted({**point("a"), **change}), code)
    assert not SessionPrompt.objects.exists()


def test_a_request_without_a_prompt_draws_nothing(desk: Desk) -> None:
    [answer] = desk.answers(desk.prompted())["results"]
    assert answer["result"] == []


def test_ten_thousand_clicks_are_too_many(desk: Desk) -> None:
    desk.refuses(desk.prompted(*[point(f"p{at}") for at in range(10_000)]), "too-many-prompts")


@pytest.mark.parametrize("clicks", [1, 64], ids=lambda clicks: f"{clicks} of them")
def test_all_clicks_negative(desk: Desk, clicks: int) -> None:
    regions = [point(f"p{at}", float(at), is_positive=False) for at in range(clicks)]
    desk.says_no(desk.prompted(*regions), "prompt-negative-only")


NO_CONTEXTS = {
    "a list": [],
    "a string": "x",
    "without regions": {},
    "regions in letters": {"result": "x"},
    "regions that are strings": {"result": ["x"]},
    "regions that are none": {"result": [None]},
}


@pytest.mark.parametrize("name", NO_CONTEXTS, ids=lambda name: f"context {name}")
def test_what_is_no_context(desk: Desk, name: str) -> None:
    desk.refuses({**desk.prompted(), "params": {"context": NO_CONTEXTS[name]}}, "request-malformed")


# Six extreme points

SIX: dict[str, list[tuple[float, float]]] = {
    "collinear": [(20.0 + 8 * at, 50.0) for at in range(6)],
    "identical": [(50.0, 50.0)] * 6,
    "all but one identical": [(50.0, 50.0)] * 5 + [(60.0, 50.0)],
    "in two corners": [(0.0, 0.0)] * 3 + [(100.0, 100.0)] * 3,
}


@pytest.fixture
def ends_desk(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Desk:
    """The six-points and click models that are shipped."""
    monkeypatch.setattr(interactive.neighbours, "propagate_after_prompt", lambda *_args, **_options: None)
    for name, kinds in (("six-points", [PromptKind.EXTREME_POINTS]), ("clicks-2d", [PromptKind.POINT])):
        folder = models_folder() / f"{name}-1"
        if not folder.exists():
            shutil.copytree(shipped_packages()[name], folder)
        promote(register_package(folder), kinds=kinds, study=the_study())
    accounts()
    return Desk(published(registered_case()), caplog)


def ends(places: list[tuple[float, float]], prefix: str = "e") -> list[Body]:
    """Extreme points on one slice."""
    return [point(f"{prefix}{at}", *place, label=EXTREME_LABEL) for at, place in enumerate(places)]


@pytest.mark.slow
@pytest.mark.parametrize("name", SIX)
def test_six_points_that_span_nothing(ends_desk: Desk, name: str) -> None:
    answer = ends_desk.send(ends_desk.prompted(*ends(SIX[name])))
    ends_desk.is_quiet(answer)
    [result] = answer.json()["results"]
    assert result["refused"]["code"] == ("points-identical" if name == "identical" else "points-on-one-plane")
    assert [region["type"] for region in result["result"]] == ["textarea"]
    clicked = ends_desk.send(ends_desk.prompted(point("a"), of=ends_desk.tasks[3]))
    assert clicked.json()["results"][0]["model_version"] == "clicks-2d-2"


def test_an_extreme_point_outside_of_the_picture_is_refused(ends_desk: Desk) -> None:
    answer = ends_desk.send(ends_desk.prompted(*ends([(50.0, 120.0), *SIX["collinear"][:5]])))
    assert (answer.status_code, answer.json()["code"]) == (400, "prompt-position")


@pytest.mark.slow
def test_the_order_of_the_extreme_points_changes_no_mask(ends_desk: Desk) -> None:
    places = [(20.0, 50.0), (75.0, 50.0), (50.0, 20.0), (50.0, 80.0)]
    masks = []
    for turned, person in ((places, "annotator"), (places[::-1], "radiologist")):
        draft = {"user": f"{person}@maskloop.local", "result": [], "updated_at": "2000-01-01T10:00:00Z"}
        slices = [(1, [(50.0, 50.0)]), (3, [(45.0, 50.0)]), (2, turned)]
        for index, here in slices if person == "annotator" else [slices[1], slices[0], slices[2]]:
            regions = ends(here, f"{person[0]}{index}")
            of = ends_desk.tasks[index]
            answer = ends_desk.send(ends_desk.prompted(*regions, of=of, drafts=[{**draft, "result": regions}]))
        ends_desk.is_quiet(answer)
        [result] = answer.json()["results"]
        assert result["model_version"] == "six-points-1"
        masks.append(mask_of(result["result"], height=HEIGHT, width=WIDTH).pixels)
    assert np.array_equal(*masks)


# Masks in the request


def _code(**changes: int) -> list[int]:
    code = list(region_of(drawn(), region_id="r", score=None)["value"]["rle"])
    for place, value in changes.items():
        code[int(place[1:])] = value
    return code


CODES: dict[str, object] = {
    "empty": [],
    "short": [0, 0, 0, 4, 57],
    "bad header": _code(_4=1),
    "length lie 2^32": _code(_0=255, _1=255, _2=255, _3=255),
    "values above 255": _code(_9=256),
    "wrong shape": region_of(np.ones((8, 8), bool), region_id="r", score=None)["value"]["rle"],
    "cut": _code()[:-4],
    "letters": "AAQAORv4",
    "none": None,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CODES)
def test_a_mask_that_cannot_be_read(desk: Desk, name: str) -> None:
    region = region_of(drawn(), region_id="r", score=None)
    region["value"] = {**region["value"], "rle": CODES[name]}
    row = {"result": [region], "updated_at": "2000-01-01T10:00:00Z", "user": "annotator@maskloop.local"}
    _is_answered_beside(desk, [row])


def _is_answered_beside(desk: Desk, rows: object) -> None:
    """The rows, as drafts, as annotations and as predictions, and then all at once."""
    places = ("drafts", "annotations", "predictions")
    for beside in [*({place: rows} for place in places), dict.fromkeys(places, rows)]:
        [answer] = desk.answers(desk.prompted(point("a"), **beside))["results"]
        assert mask_of(answer["result"], height=HEIGHT, width=WIDTH).pixels.any()


ROWS: dict[str, object] = {
    "a string": "x",
    "numbers": [7, None, "x", []],
    "no result": [{"updated_at": "2000-01-01T10:00:00Z"}],
    "a result in letters": [{"result": "x", "updated_at": "2000-01-01T10:00:00Z"}],
    "regions of nothing": [{"result": [None, 7, {}], "updated_at": "2000-01-01T10:00:00Z"}],
    "a strange time": [{"result": [], "updated_at": "2026-99-99T99:99:99Z"}],
    "a far time": [{"result": [], "updated_at": "9999-12-31T23:59:59-14:00"}],
    "a strange person": [{"result": [], "user": {"id": 1}, "updated_at": "2000-01-01T10:00:00Z"}],
    "half a character": [{"result": [], "user": "\ud800", "updated_at": "2000-01-01T10:00:00Z"}],
    "a NUL": [{"result": [], "user": "a\0b", "updated_at": "2000-01-01T10:00:00Z"}],
    "lists as ids": [{"result": [{"id": []}], "updated_at": "2000-01-01T10:00:00Z"}],
    "lists as types": [{"result": [{"id": "a", "type": []}], "updated_at": "2000-01-01T10:00:00Z"}],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_rows_beside_a_task_that_are_none(desk: Desk, name: str) -> None:
    _is_answered_beside(desk, ROWS[name])


# Names that are not ours

NAMES: dict[str, Body] = {
    "unknown from_name": {"from_name": "brush2"},
    "no from_name": {"from_name": None},
    "another control of ours": {"from_name": SMART_BOX},
    "unknown to_name": {"to_name": "picture"},
    "the companion picture": {"to_name": "companion"},
    "unknown label": {"value": {"x": 1, "y": 1, "keypointlabels": ["Liver"]}},
    "a label of another control": {"value": {"x": 1, "y": 1, "keypointlabels": ["Tumour box"]}},
    "no label": {"value": {"x": 1, "y": 1, "keypointlabels": []}},
    "two labels": {"value": {"x": 1, "y": 1, "keypointlabels": ["Tumour point"] * 2}},
    "markup": {"value": {"x": 1, "y": 1, "keypointlabels": ["<img src=x onerror=alert(1)>"]}},
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_not_ours(desk: Desk, name: str) -> None:
    body = desk.prompted({**point("a"), **NAMES[name]})
    desk.refuses(body, "prompt-control")
    assert b"<img" not in desk.send(body).content


# Addresses and paths in a task's data

ADDRESSES = [
    "http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://[::1]/", "http://[::ffff:10.0.0.1]/",
    "http://169.254.169.254/latest/meta-data/", "http://localhost.localdomain/", "http://user@127.0.0.1/",
    "http://127.0.0.1#@example.org/", "https://example.org/redirect?to=http://127.0.0.1", "//127.0.0.1/x.png",
    "ftp://127.0.0.1/", "gopher://127.0.0.1:70/", "dict://127.0.0.1:11211/", "s3://bucket/key", "gs://bucket/key",
    "azure-blob://container/x", "data:text/html,<script>alert(1)</script>", "javascript:alert(1)", "http://0/",
]  # fmt: skip

PATHS = [
    "/data/local-files/?d=../../etc/passwd", "file:///etc/passwd", "file://localhost/etc/shadow", "/etc/passwd",
    "../../../../etc/passwd", "/dev/zero", "/proc/self/environ", "\\\\host\\share\\x.png", "/data/upload/1/../../x",
]  # fmt: skip

_touched: list[tuple[str, str]] | None = None


def _listen(event: str, args: tuple[Any, ...]) -> None:
    if _touched is not None and event in ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        _touched.append((event, str(args[0])))


sys.addaudithook(_listen)


@contextmanager
def overheard() -> Iterator[list[tuple[str, str]]]:
    """Every file that Python opens and every address that it asks for, connects to or starts a program with."""
    global _touched
    _touched = []
    try:
        yield _touched
    finally:
        _touched = None


def assert_only_own_files(touched: list[tuple[str, str]]) -> None:
    """Nothing but what a request without any address opens."""
    assert [event for event, _ in touched if event != "open"] == []
    opened = [path for _, path in touched]
    assert not [path for path in opened if path.startswith(("/etc/", "/dev/zero", "/proc/self/environ", "\\\\"))]
    assert not [path for path in opened if "passwd" in path or "shadow" in path or path.startswith("..")]


@pytest.mark.slow
@pytest.mark.parametrize("address", ADDRESSES + PATHS, ids=str)
def test_an_address_in_a_task_is_never_fetched(desk: Desk, address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = f"http://127.0.0.1:{server.getsockname()[1]}/x.png"
        data = {"image": address, "companion": here, "guide": here, "case": "C0001"}
        bitmask = {**region_of(drawn(), region_id="b", score=None), "type": "bitmasklabels", "from_name": "bitmask"}
        bitmask["value"] = {"imageDataURL": address, "bitmasklabels": ["Tumour"]}
        row = {"result": [bitmask], "updated_at": "2000-01-01T10:00:00Z"}
        with overheard() as touched:
            [answer] = desk.answers(desk.prompted(point("a"), data=data, drafts=[row], file_upload=address))["results"]
            desk.answers(desk.batch({"id": desk.task.label_studio_id, "data": data}))
        assert_only_own_files(touched)
        server.settimeout(0.01)
        with pytest.raises(TimeoutError):
            server.accept()
    assert mask_of(answer["result"], height=HEIGHT, width=WIDTH).pixels.any()


# Bodies (what needs a real server is in test_bad_connections)

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "half": b'{"tasks": [',
    "a list": b"[]",
    "a string": b'"tasks"',
    "a hundred thousand brackets": b"[" * 100_000,
    "no UTF-8": b"\xff\xfe{}",
    "gzip": gzip.compress(b'{"tasks": [], "project": "1.1"}'),
    "a gzip bomb": gzip.compress(bytes(1 << 26)),
    "a form": b"tasks=1&project=1.1",
    "five thousand digits": b'{"tasks": [{"id": ' + b"9" * 5000 + b'}], "project": "1.1"}',
}


@pytest.mark.slow
@pytest.mark.parametrize("url", ["ml-predict", "ml-webhook"])
@pytest.mark.parametrize("name", BODIES)
def test_what_is_no_json_object(desk: Desk, name: str, url: str) -> None:
    desk.refuses(BODIES[name], "request-malformed", url=url)


@pytest.mark.parametrize("url", ["ml-predict", "ml-webhook"], ids=str)
def test_a_body_that_is_too_large(desk: Desk, url: str, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2000
    desk.refuses({"tasks": [], "project": "1.1", "more": "x" * 2000}, "request-too-large", status=413, url=url)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/json; charset=utf-7", ""],
    ids=lambda kind: kind or "none",
)  # fmt: skip
def test_another_content_type_is_read_as_json_all_the_same(desk: Desk, kind: str) -> None:
    content = json.dumps(desk.prompted(point("a"))).encode()
    headers = {"authorization": basic_auth(), "content-type": kind}
    answer = Client().generic("POST", reverse("ml-predict"), content, content_type=kind, headers=headers)
    desk.is_quiet(answer)
    assert answer.status_code == 200
    desk.goes_on()


# Basic auth


def _basic(words: str) -> str:
    return f"Basic {base64.b64encode(words.encode()).decode()}"


def _own_user() -> str:
    return base64.b64decode(basic_auth().removeprefix("Basic ")).decode().partition(":")[0]


AUTHORIZATIONS: dict[str, Callable[[], str]] = {
    "none": str,
    "Basic alone": lambda: "Basic",
    "Basic None": lambda: "Basic None",
    "None:None": lambda: _basic("None:None"),
    "Bearer": lambda: f"Bearer {basic_auth().removeprefix('Basic ')}",
    "Token": lambda: "Token abc",
    "non-ASCII user": lambda: _basic("J\N{LATIN SMALL LETTER O WITH DIAERESIS}rg:x"),
    "bytes that are no ASCII": lambda: "Basic \N{LATIN SMALL LETTER U WITH DIAERESIS}",
    "wrong password": lambda: _basic(f"{_own_user()}:wrong"),
    "no password": lambda: _basic(_own_user()),
    "one letter more": lambda: f"{basic_auth()}=",
    "one letter less": lambda: basic_auth()[:-1],
    "twice, as joined by a server": lambda: f"{basic_auth()},{basic_auth()}",
    "a long one": lambda: "Basic " + "A" * 100_000,
}


@pytest.mark.parametrize("url", ML_URLS)
@pytest.mark.parametrize("name", AUTHORIZATIONS)
def test_nobody_else_is_let_in(name: str, url: str, caplog: pytest.LogCaptureFixture) -> None:
    client = Client(raise_request_exception=False)
    headers = {"authorization": value} if (value := AUTHORIZATIONS[name]()) else {}
    for send in (client.get, client.post):
        answer = send(reverse(url), headers=headers)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Basic")
        assert "required" in answer.json()["error"]
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]
    secret = basic_auth().removeprefix("Basic ")
    assert secret not in caplog.text


def test_the_wrong_method_is_named_by_its_status() -> None:
    client = Client(headers={"authorization": basic_auth()})
    for url in ("ml-setup", "ml-predict", "ml-webhook"):
        assert client.get(reverse(url)).status_code == 405
    for url in ("ml-health", "ml-versions"):
        assert client.post(reverse(url)).status_code == 405


# A model is swapped while people ask


class SwappingSegmenter(BrightSegmenter):
    """While it draws for the first time, another model is promoted and somebody else asks."""

    def __init__(self) -> None:
        super().__init__("old-1")
        self.meanwhile: Callable[[], None] | None = None

    def segment(self, request: SegmentationRequest) -> Segmentation:
        then, self.meanwhile = self.meanwhile, None
        if then:
            then()
        return super().segment(request)


def test_a_model_that_is_swapped_while_one_asks_answers_the_next_request(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = known_model("new", method="clicks-2d")
    old, later = SwappingSegmenter(), BrightSegmenter("new-1")
    monkeypatch.setattr(
        "annotation_backend.inference.serving.segmenting.segmenter_of", lambda model: later if model == new else old
    )
    roomy = admission.Admission(at_once=2, patience=4.0)
    monkeypatch.setattr(admission, "process_admission", lambda: roomy)
    during: list[Body] = []

    def swap() -> None:
        Promotion.objects.create(model=new, prompt_kind=PromptKind.POINT, study=the_study())
        during.extend(desk.send(desk.prompted(point("b"), of=desk.tasks[1])).json()["results"])

    old.meanwhile = swap
    [before] = desk.send(desk.prompted(point("a"))).json()["results"]
    [after] = desk.answers(desk.prompted(point("a"), point("c", 60.0)))["results"]
    assert [before["model_version"], during[0]["model_version"], after["model_version"]] == ["old-1", "new-1", "new-1"]
    for answer in (before, *during, after):
        assert mask_of(answer["result"], height=HEIGHT, width=WIDTH).pixels.any()


# Who asked has gone


def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.core.handlers.wsgi import LimitedStream

    def broken(*_args: object) -> bytes:
        raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr(LimitedStream, "read", broken)
        for url in ("ml-predict", "ml-webhook"):
            answer = desk.send(desk.prompted(point("a")), url=url)
            desk.is_quiet(answer)
            assert (answer.status_code, answer.json()["code"]) == (400, "request-malformed")
    desk.goes_on()


def test_an_answer_that_fails_frees_its_place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(BrightSegmenter):
        def segment(self, request: SegmentationRequest) -> Segmentation:
            raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("annotation_backend.inference.serving.segmenting.segmenter_of", lambda _model: Broken())
        for at in range(20):
            assert desk.send(desk.prompted(point(f"p{at}"))).status_code >= 500
    assert not admission.process_admission().is_busy
    desk.goes_on()


# A damaged model


def _pickled(folder: Path) -> None:
    """A pickle that makes the folder ``canary`` when it is read."""
    canary = folder.parent / "canary"
    (folder / WEIGHTS_NAME).write_bytes(f"cos\nmkdir\n(V{canary}\ntR.".encode())


def _cut(folder: Path) -> None:
    content = (folder / WEIGHTS_NAME).read_bytes()
    (folder / WEIGHTS_NAME).write_bytes(content[: len(content) // 2])


def _other_sha(folder: Path) -> None:
    content = bytearray((folder / WEIGHTS_NAME).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS_NAME).write_bytes(bytes(content))


def _other_architecture(folder: Path) -> None:
    shutil.copy(shipped_packages()["clicks-3d"] / WEIGHTS_NAME, folder / WEIGHTS_NAME)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "missing": lambda folder: (folder / WEIGHTS_NAME).unlink(),
    "missing altogether": shutil.rmtree,
    "truncated": _cut,
    "pickle": _pickled,
    "other architecture": _other_architecture,
    "other sha": _other_sha,
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_model_says_so_and_another_kind_of_prompt_is_answered(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interactive.neighbours, "propagate_after_prompt", lambda *_args, **_options: None)
    monkeypatch.setattr(serving, "known", serving.KnownModels())
    accounts()
    desk = Desk(published(registered_case()), caplog)
    folder = models_folder() / "clicks-2d-damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(shipped_packages()["clicks-2d"], folder)
    model = register_package(folder)
    promote(model, kinds=[PromptKind.POINT], study=the_study())
    process_memory().forget(("model", model.digest))
    DAMAGES[name](folder)
    try:
        answer = desk.send(desk.prompted(point("a")))
        assert answer.status_code == 200
        [result] = answer.json()["results"]
        assert result["refused"]["code"]
        assert "Traceback" not in desk.caplog.text + answer.content.decode()
        assert str(folder) not in answer.content.decode()
        assert not (folder.parent / "canary").exists()
        batch = desk.send(desk.batch({"id": desk.task.label_studio_id}))
        assert (batch.status_code, batch.json()["code"]) == (400, "no-serving-model")
        box_model = known_model("boxes", method="lite-medsam", kinds=(PromptKind.BOX,))
        drawn_by(monkeypatch, BrightSegmenter(str(box_model)))
        [boxed] = desk.send(desk.prompted(box(), of=desk.tasks[3])).json()["results"]
        assert "refused" not in boxed
    finally:
        shutil.rmtree(models_folder(), ignore_errors=True)


# Webhooks (see also test_webhook and test_reconcile)

SECRETS: dict[str, Callable[[], dict[str, str]]] = {
    "missing": lambda: {"x-nothing": "1"},
    "invalid": lambda: {SECRET_HEADER: "0" * 64},
    "cut": lambda: {SECRET_HEADER: webhook_headers()[SECRET_HEADER][:-1]},
    "upper case": lambda: {SECRET_HEADER: webhook_headers()[SECRET_HEADER].upper()},
    "wrong header": lambda: {"X-Signature": webhook_headers()[SECRET_HEADER]},
    "in the other header": lambda: {"Authorization": webhook_headers()[SECRET_HEADER]},
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_webhook_without_its_secret(desk: Desk, name: str) -> None:
    body = {"action": "ANNOTATION_CREATED", "annotation": save_body(desk.task)}
    answer = desk.send(body, url="ml-webhook", headers=SECRETS[name]())
    desk.is_quiet(answer)
    assert answer.status_code == 401
    assert not Annotation.objects.exists()
    desk.goes_on()


def test_an_old_secret_no_longer_opens_the_webhook(desk: Desk, settings: Any) -> None:
    old = webhook_headers()
    settings.SECRET_KEY = "another key " * 5
    body = {"action": "ANNOTATION_CREATED", "annotation": save_body(desk.task)}
    assert desk.send(body, url="ml-webhook", headers=old).status_code == 401
    assert desk.answers(body, url="ml-webhook") == {"received": "stored"}


def _current(desk: Desk) -> Annotation:
    """What counts on the task once Label Studio has confirmed all that came; nothing before."""
    assert Annotation.objects.current(desk.task) is None
    for row in Annotation.objects.all():
        note(row, ConfirmationOutcome.CONFIRMED)
    current = Annotation.objects.current(desk.task)
    assert current is not None
    return current


def test_a_replay_changes_nothing_even_after_newer_saves(desk: Desk) -> None:
    first = {"action": "ANNOTATION_CREATED", "annotation": save_body(desk.task)}
    newer = save_body(desk.task, updated_at="2026-11-21T11:00:00.000001Z", result=[])
    assert desk.answers(first, url="ml-webhook") == {"received": "stored"}
    assert desk.answers({**first, "annotation": newer}, url="ml-webhook") == {"received": "stored"}
    for _ in range(3):
        assert desk.answers(first, url="ml-webhook") == {"received": "known"}
    current = _current(desk)
    assert (Annotation.objects.count(), current.raw["result"]) == (2, [])


def _told(desk: Desk, action: str, **changes: Any) -> str:
    body = {"action": action, "annotation": save_body(desk.task, **changes)}
    return str(desk.answers(body, url="ml-webhook")["received"])


def test_of_doubled_and_reordered_saves_the_newest_counts(desk: Desk) -> None:
    moments = [f"2026-11-21T10:00:0{second}.000001Z" for second in (3, 1, 2, 3, 1)]
    assert [_told(desk, "ANNOTATION_UPDATED", updated_at=moment) for moment in moments] == [
        "stored", "stored", "stored", "known", "known",
    ]  # fmt: skip
    assert _current(desk).saved_at.second == 3


def test_an_update_that_comes_before_its_create_counts(desk: Desk) -> None:
    assert _told(desk, "ANNOTATION_UPDATED", updated_at="2026-11-21T11:00:00.000001Z") == "stored"
    assert _told(desk, "ANNOTATION_CREATED") == "stored"
    assert _current(desk).saved_at.hour == 11


def test_a_deletion_of_what_nobody_knows_deletes_nothing(desk: Desk) -> None:
    _told(desk, "ANNOTATION_CREATED", identifier=7)
    body = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 999}], "project": {"id": 1}}
    assert desk.answers(body, url="ml-webhook") == {"received": "asked"}
    assert not DeletionAsked.objects.exists()
    assert _current(desk) is not None


HOOKS: dict[str, tuple[Body, str]] = {
    "action unknown": ({"action": "ANNOTATION_ERASED"}, "ignored"),
    "action none": ({"action": None}, "ignored"),
    "action a list": ({"action": []}, "ignored"),
    "no action": ({}, "ignored"),
    "delete, project absent": ({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}]}, "project-unknown"),
    "training, project absent": ({"action": "START_TRAINING"}, "project-unknown"),
    "training, project a string": ({"action": "START_TRAINING", "project": "1"}, "save-malformed"),
    "training, project 2^63": ({"action": "START_TRAINING", "project": {"id": 2**63}}, "save-malformed"),
}


@pytest.mark.parametrize("name", HOOKS)
def test_a_webhook_of_something_else(desk: Desk, name: str) -> None:
    body, outcome = HOOKS[name]
    answer = desk.send(body, url="ml-webhook")
    desk.is_quiet(answer)
    told = {"received": outcome} if outcome == "ignored" else {"code": outcome}
    assert told.items() <= answer.json().items()
    assert answer.status_code == (200 if outcome == "ignored" else 400)
    desk.goes_on()


@pytest.mark.parametrize("value", ["7", -7, 0, 2**63, None, 1.5, True], ids=repr)
@pytest.mark.parametrize("field", ["id", "task", "project"])
def test_a_save_whose_numbers_are_none(desk: Desk, field: str, value: object) -> None:
    body = {"action": "ANNOTATION_CREATED", "annotation": {**save_body(desk.task), field: value}}
    answer = desk.send(body, url="ml-webhook")
    desk.is_quiet(answer)
    assert (answer.status_code, answer.json()["code"]) == (400, "save-malformed")
    assert not Annotation.objects.exists()


def test_a_save_without_a_project_is_malformed(desk: Desk) -> None:
    body = save_body(desk.task)
    del body["project"]
    desk.refuses({"action": "ANNOTATION_CREATED", "annotation": body}, "save-malformed", url="ml-webhook")


@pytest.mark.parametrize("text", ["\ud800", "a\0b"], ids=["half a character", "NUL"])
def test_text_that_no_database_takes_leaves_the_mask(desk: Desk, text: str) -> None:
    hint = {"id": "h", "type": "textarea", text: text, "value": {"text": [text]}}
    save = save_body(desk.task)
    save["result"].append(hint)
    body = {"action": "ANNOTATION_CREATED", "annotation": {**save, "lead": text}}
    assert desk.answers(body, url="ml-webhook") == {"received": "stored"}
    current = _current(desk)
    said = json.dumps(current.raw)
    assert "\\u0000" not in said
    assert "\\ud800" not in said
    assert mask_of(current.raw["result"], height=HEIGHT, width=WIDTH).pixels.any()
    assert desk.answers(body, url="ml-webhook") == {"received": "known"}


def test_a_save_of_a_place_that_is_none_is_of_no_task_of_ours(desk: Desk) -> None:
    place = {"id": desk.task.label_studio_id, "data": {"case": "a\0\ud800", "slice": 10**30}}
    body = {"action": "ANNOTATION_CREATED", "annotation": save_body(desk.task), "task": place}
    desk.refuses(body, "task-unknown", url="ml-webhook")


def test_a_case_that_is_no_longer_registered_or_exported_is_named(desk: Desk) -> None:
    other = registered_case("C0002")
    task = published(other, first_task=201)[2]
    other.registrations.all().delete()
    other.images.all().delete()
    type(other).objects.filter(pk=other.pk).update(images_sha256="")
    desk.says_no(desk.prompted(point("a"), of=task), "case-not-registered")
    type(other).objects.filter(pk=other.pk).update(picture_plane=None)
    desk.refuses(desk.prompted(point("b"), of=task), "case-not-exported")
