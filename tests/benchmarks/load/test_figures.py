"""What the load runs make of their measurements."""

import math
import time
from pathlib import Path

import pytest

from benchmarks.load.figures import (
    MemorySample,
    MemoryWatch,
    Timings,
    growth,
    percentile,
    process_kind,
    read_access_log,
    served_table,
)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.5, 3.0), (0.8, 4.0), (0.81, 5.0), (0.95, 5.0), (1.0, 5.0)]
)
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile([5.0, 1.0, 4.0, 2.0, 3.0], share) == expected


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


def test_actions_of_the_ramp_are_not_timed_but_their_errors_count() -> None:
    timings = Timings(counts_from=time.perf_counter() - 1.0)
    timings.add("click", 0.5)
    timings.add("click", 2.0)
    timings.add("click", 2.0, "busy (503)")
    assert timings.seconds["click"] == [0.5]
    assert timings.table()[-1] == "| click | 1 | 500 | 500 | 500 | 1 x busy (503) |"


def test_an_action_that_only_failed_has_a_row() -> None:
    timings = Timings()
    timings.add("submit", 1.0, "ConnectionError")
    assert timings.table()[-1] == "| submit | 0 |  |  |  | 1 x ConnectionError |"


def test_the_access_log_gives_each_routes_own_time(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(
        "[21/Nov/2026:13:00:00 +0000] POST /ml/predict 200 900000 app;dur=800.0\n"
        "[21/Nov/2026:13:00:05 +0000] POST /ml/predict 200 60000 app;dur=50.0\n"
        "[21/Nov/2026:13:00:06 +0000] POST /ml/predict 503 2000 app;dur=1.5\n"
        "[21/Nov/2026:13:00:06 +0000] GET /pictures/secret-token.png 200 3000 app;dur=2.0\n"
        "[21/Nov/2026:13:00:07 +0000] GET /favicon.ico 200 400 -\n"
        "something else\n"
    )
    routes = read_access_log(log, since=1795266002.0)
    assert routes["/ml/predict"].application == [0.05, 0.0015]
    assert routes["/ml/predict"].server == [0.06, 0.002]
    assert routes["/ml/predict"].statuses == {"200": 1, "503": 1}
    assert routes["/favicon.ico"].application == []
    assert "secret" not in "".join(served_table(routes))
    assert "| /pictures/ | 1 | 2 | 2 | 2 | 200: 1 |" in served_table(routes)


def test_growth_compares_the_ends_and_passes_over_a_peak() -> None:
    values = [100.0] * 10 + [900.0] * 80 + [104.0] * 10
    assert growth(values) == pytest.approx(4.0)
    assert math.isnan(growth([]))


def test_memory_before_the_warm_up_does_not_count() -> None:
    watch = MemoryWatch()
    watch.samples = [MemorySample(float(at), {"web": 10 if at < 50 else 100 + at // 90}) for at in range(100)]
    assert watch.growth_of("web", since=50.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (["/venv/bin/python", "/venv/bin/gunicorn", "annotation_backend.wsgi"], "web"),
        (["python", "manage.py", "db_worker", "--no-reload"], "worker"),
        (["python", "manage.py", "db_worker", "--no-reload", "--queue-name", "training"], "trainer"),
        (["/venv/bin/python", "/venv/bin/label-studio", "start"], "Label Studio"),
        (["python", "manage.py", "up"], None),
    ],
)
def test_processes_are_told_apart(command: list[str], kind: str | None) -> None:
    assert process_kind(command) == kind
