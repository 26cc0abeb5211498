"""Volumes of many cases stay under the bound, a case is read once, and one slow case holds up no other."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from annotation_backend.inference.serving import loaded
from annotation_backend.inference.serving.loaded import loaded_volumes, segmenter_of
from datasets.study.case import CaseVolumes
from tests.annotation_backend.support.records import SHAPE, registered_case
from tests.annotation_backend.support.segmenters import BrightSegmenter, known_model
from training.memory import MemoryBudget

pytestmark = pytest.mark.django_db

CASE_BYTES = 2 * 4 * SHAPE[0] * SHAPE[1] * SHAPE[2]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryBudget:
    own = MemoryBudget(limit=int(3.5 * CASE_BYTES))
    monkeypatch.setattr(loaded, "process_memory", lambda: own)
    return own


def test_many_cases_stay_under_the_bound(memory: MemoryBudget) -> None:
    for number in range(1, 13):
        loaded_volumes(registered_case(f"C{number:04}"))
        assert memory.used <= memory.limit
    assert (len(memory), memory.used) == (3, 3 * CASE_BYTES)


def test_many_who_ask_for_a_case_read_it_once(memory: MemoryBudget, monkeypatch: pytest.MonkeyPatch) -> None:
    case, read = registered_case(), []
    real = loaded.case_volumes
    monkeypatch.setattr(loaded, "case_volumes", lambda asked: read.append(asked) or real(asked))
    case.picture_plane, case.registrations.get().record
    list(case.series.all())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: loaded_volumes(case), range(16)))
    assert len(read) == 1
    assert all(volumes is found[0] for volumes in found)


def test_a_slow_case_holds_up_no_other(memory: MemoryBudget, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick = registered_case("C0001"), registered_case("C0002")
    volumes = loaded_volumes(quick)
    begun, release = threading.Event(), threading.Event()

    def read(case: object) -> CaseVolumes:
        begun.set()
        assert release.wait(10)
        return volumes

    monkeypatch.setattr(loaded, "case_volumes", read)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(loaded_volumes, slow)
        assert begun.wait(10)
        assert loaded_volumes(quick) is volumes
        release.set()
        assert waiting.result(10) is volumes


def test_a_model_counts_for_what_it_takes(memory: MemoryBudget, monkeypatch: pytest.MonkeyPatch) -> None:
    resident = iter([100 << 20, 350 << 20])
    monkeypatch.setattr(loaded, "resident_bytes", lambda: next(resident))
    monkeypatch.setattr(loaded, "load_model", lambda _model: BrightSegmenter())
    memory.set_limit(1 << 30)
    segmenter_of(known_model())
    assert memory.used == 250 << 20
