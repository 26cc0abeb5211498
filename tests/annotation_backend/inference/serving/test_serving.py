"""A promoted model takes over when it is loaded, nobody waits for that at first, and a broken one never does."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation_backend.inference.serving import loaded, serving
from annotation_backend.inference.serving.serving import model_for, promoted_model, warm_up
from annotation_backend.registry.model_registry import models_folder
from annotation_backend.registry.models import Model, Promotion, PromptKind
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes
from tests.annotation_backend.support.records import the_study
from tests.annotation_backend.support.segmenters import BrightSegmenter, flip_a_weight, known_model, packaged_model
from training.memory import process_memory
from training.model_package import WEIGHTS_NAME, read_description, read_package
from training.pretrained.shipped import shipped_packages

pytestmark = pytest.mark.django_db(transaction=True)

KIND = PromptKind.POINT


class Loader:
    """Loads segmenters, as slowly as it is told, and refuses what it is told."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.release: dict[str, threading.Event] = {}
        self.errors: dict[str, Exception] = {}

    def __call__(self, model: Model) -> BrightSegmenter:
        self.loads.append(model.name)
        if model.name in self.release:
            assert self.release[model.name].wait(20)
        if model.name in self.errors:
            raise self.errors[model.name]
        return BrightSegmenter(str(model))


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> serving.KnownModels:
    """No model answered or is known to be broken before; what is found out is forgotten after."""
    fresh = serving.KnownModels()
    monkeypatch.setattr(serving, "known", fresh)
    return fresh


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch, known: serving.KnownModels) -> Iterator[Loader]:
    """Nothing is loaded before; no file is read."""
    made = Loader()
    monkeypatch.setattr(loaded, "load_model", made)
    _forget_models()
    yield made
    for thread in list(known.loading.values()):
        thread.join(30)
    _forget_models()


def _forget_models() -> None:
    for model in Model.objects.all():
        process_memory().forget(("model", model.digest))
    for name in ("old", "new", "bright"):
        process_memory().forget(("model", sha256_of_bytes(name.encode())))


def promoted(name: str, *, seconds_ago: float = 0.0) -> Model:
    model = known_model(name, method="clicks-2d", kinds=(KIND,))
    Promotion.objects.filter(model=model).update(created=timezone.now() - timedelta(seconds=seconds_ago))
    return model


def until(true: Callable[[], bool], seconds: float = 10.0) -> float:
    """Seconds until it is so."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds, "it never became so"
        time.sleep(0.01)
    return time.monotonic() - started


def test_the_old_model_answers_while_the_new_one_is_loaded(loader: Loader) -> None:
    old = promoted("old", seconds_ago=60)
    assert model_for(KIND, the_study()) == old
    loader.release["new"] = threading.Event()
    new = promoted("new")
    started = time.monotonic()
    assert model_for(KIND, the_study()) == old
    assert model_for(KIND, the_study()) == old
    assert time.monotonic() - started < 1.0
    loader.release["new"].set()
    until(lambda: model_for(KIND, the_study()) == new)
    assert loader.loads == ["old", "new"]


def test_after_the_time_a_request_waits_for_the_new_model(loader: Loader) -> None:
    promoted("old", seconds_ago=60)
    model_for(KIND, the_study())
    loader.release["new"] = threading.Event()
    new = promoted("new", seconds_ago=serving.TAKEN_UP_SECONDS + 1)
    threading.Timer(0.2, loader.release["new"].set).start()
    assert model_for(KIND, the_study()) == new


def test_a_promotion_is_taken_up_within_five_seconds_while_nobody_asks(
    loader: Loader, tell_figure: Callable[[str], None]
) -> None:
    promoted("old", seconds_ago=60)
    model_for(KIND, the_study())
    new = promoted("new")
    begun = time.monotonic()
    warm_up()
    until(lambda: loaded.is_loaded(new))
    assert model_for(KIND, the_study()) == new
    tell_figure(f"a promoted model was taken up {time.monotonic() - begun:.2f} s after one look at the promotions")
    assert serving.WATCH_SECONDS + 1.0 < 5.0


@pytest.mark.parametrize("error", [RejectedInput("package-missing", "Gone.", remedy="Restore it."), RuntimeError("x")])
def test_a_broken_model_never_takes_over(
    loader: Loader, error: Exception, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = promoted("old", seconds_ago=60)
    model_for(KIND, the_study())
    loader.errors["new"] = error
    new = promoted("new")
    for _ in range(20):
        assert model_for(KIND, the_study()) == old
        time.sleep(0.01)
    assert loader.loads.count("new") == 1
    assert "new-1 was promoted and cannot be loaded" in caplog.text
    assert promoted_model(KIND, the_study()) == old
    del loader.errors["new"]  # restored
    monkeypatch.setattr(serving, "BROKEN_SECONDS", 0.0)  # it has passed
    until(lambda: model_for(KIND, the_study()) == new)


def test_a_fresh_process_passes_over_a_broken_promotion(loader: Loader) -> None:
    old = promoted("old", seconds_ago=60)
    loader.errors["new"] = RejectedInput("package-missing", "Gone.", remedy="Restore it.")
    promoted("new")
    assert model_for(KIND, the_study()) == old


def test_without_a_model_that_works_the_reason_is_told(loader: Loader) -> None:
    with pytest.raises(RejectedInput) as caught:
        model_for(KIND, the_study())
    assert caught.value.code == "no-serving-model"
    loader.errors["new"] = RejectedInput("package-missing", "Gone.", remedy="Restore it.")
    promoted("new")
    for _ in range(2):
        with pytest.raises(RejectedInput) as caught:
            model_for(KIND, the_study())
        assert caught.value.code == "package-missing"
    assert loader.loads == ["new"]


def test_the_usual_request_costs_one_query(loader: Loader, tell_figure: Callable[[str], None]) -> None:
    promoted("old", seconds_ago=60)
    study = the_study()
    model_for(KIND, study)
    with CaptureQueriesContext(connection) as queries:
        model_for(KIND, study)
    assert len(queries) == 1
    started = time.monotonic()
    for _ in range(100):
        model_for(KIND, study)
    tell_figure(f"which model answers: {(time.monotonic() - started) * 10:.2f} ms a request, one query")


def _truncated(folder: Path) -> None:
    weights = (folder / WEIGHTS_NAME).read_bytes()
    (folder / WEIGHTS_NAME).write_bytes(weights[: len(weights) // 2])


def _pickled(folder: Path) -> None:
    (folder / WEIGHTS_NAME).write_bytes(b"\x80\x04cos\nsystem\n.")


def _missing(folder: Path) -> None:
    (folder / WEIGHTS_NAME).unlink()


def _gone(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [_truncated, _pickled, _missing, flip_a_weight, _gone])
def test_a_package_damaged_after_its_promotion_leaves_the_working_one(damage: Callable[[Path], None]) -> None:
    package = shipped_packages()["clicks-2d"]
    working, new = packaged_model(package, "1"), packaged_model(package, "2")
    Promotion.objects.create(model=working, prompt_kind=KIND, study=the_study())
    assert model_for(KIND, the_study()) == working
    Promotion.objects.create(model=new, prompt_kind=KIND, study=the_study())
    damage(new.path)
    try:
        until(lambda: model_for(KIND, the_study()) == working == promoted_model(KIND, the_study()))
    finally:
        shutil.rmtree(models_folder(), ignore_errors=True)


def test_another_architecture_leaves_the_working_one() -> None:
    package = shipped_packages()["clicks-2d"]
    working = packaged_model(package, "1")
    Promotion.objects.create(model=working, prompt_kind=KIND, study=the_study())
    model_for(KIND, the_study())
    _, tensors = read_package(shipped_packages()["clicks-3d"], expected_digest=_digest("clicks-3d"))
    strange = packaged_model(package, "3", tensors=tensors)
    Promotion.objects.create(model=strange, prompt_kind=KIND, study=the_study())
    try:
        until(lambda: model_for(KIND, the_study()) == working == promoted_model(KIND, the_study()))
    finally:
        shutil.rmtree(models_folder(), ignore_errors=True)


def _digest(name: str) -> str:
    return read_description(shipped_packages()[name]).digest
