"""One function over many items: here, on several processes, on a scheduler; with workers that die."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import dask
import pytest
import requests
from distributed import Client, Security

from annotation_backend import compute
from annotation_backend.compute import ONE_THREAD_EACH, Outcome, checked_scheduler, default_workers, each_done
from datasets.errors import RejectedInput, TryAgain
from tests.annotation_backend import computed as work
from tests.annotation_backend.support.dask_processes import dask_processes, free_port


def _by_item(outcomes: Iterator[Outcome]) -> dict:
    return {outcome.item: outcome for outcome in outcomes}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_one_bad_item_never_stops_the_rest(workers: int) -> None:
    shown: list[tuple[int, int]] = []
    found = _by_item(
        each_done(work.double, range(6), key=str, workers=workers, progress=lambda done, of: shown.append((done, of)))
    )
    assert {item: outcome.result for item, outcome in found.items()} == {0: 0, 1: 2, 2: 4, 3: None, 4: None, 5: 10}
    refused, broken = found[3].finding_about("C0001"), found[4].finding
    assert (refused.code, refused.remedy, refused.subject) == ("three", "Give another.", "C0001")
    assert broken is not None
    assert broken.code == "work-failed"
    assert "KeyError" in broken.message
    assert "Canary" not in str(broken)
    assert shown == [(done, 6) for done in range(7)]


def test_nothing_to_do_starts_nothing() -> None:
    assert list(each_done(work.double, [], key=str, workers=8)) == []


@pytest.mark.slow
def test_a_worker_that_dies_loses_nothing(tmp_path: Path) -> None:
    items = [tmp_path / name for name in "abc"]
    found = _by_item(each_done(work.die_once, items, key=lambda path: path.name, workers=2))
    assert {outcome.result for outcome in found.values()} == {"a", "b", "c"}


@pytest.mark.slow
def test_an_item_that_kills_its_workers_becomes_a_finding_and_the_others_are_done() -> None:
    names = ["good 1", "bad", "good 2", "good 3"]
    found = _by_item(each_done(work.die_always, names, key=str, workers=2))
    bad = found.pop("bad")
    assert bad.finding is not None
    assert bad.finding.code == "worker-lost"
    assert {outcome.result for outcome in found.values()} == {"good 1", "good 2", "good 3"}


@pytest.mark.slow
def test_workers_have_one_thread_each() -> None:
    found = _by_item(each_done(work.environment, list(ONE_THREAD_EACH), key=str, workers=2))
    assert {name: outcome.result for name, outcome in found.items()} == ONE_THREAD_EACH


@pytest.mark.slow
def test_the_machines_own_cluster_listens_on_loopback_and_shows_nothing() -> None:
    with compute.local_cluster(1) as cluster, Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=30)
        assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
        [worker] = client.scheduler_info()["workers"].values()
        pages = [cluster.scheduler.services["dashboard"].port, worker["services"]["dashboard"]]
        for port in pages:
            for path in ("status", "info/main/workers.html", "json/identity.json", "health", "metrics"):
                answer = requests.get(f"http://127.0.0.1:{port}/{path}", timeout=5)
                assert answer.status_code == 404, path
        with pytest.raises(OSError, match=r".+"):
            Client(cluster.scheduler_address.replace("tls", "tcp"), timeout=2, set_as_default=False)


def test_there_is_at_least_one_worker_and_no_more_than_cores() -> None:
    assert 1 <= default_workers() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:8786", "127.0.0.1:8786", "tcp://localhost:1", "tcp://[::1]:8786", "tls://head:8786"]
)
def test_schedulers_here_and_behind_tls_are_taken(address: str) -> None:
    assert checked_scheduler(address).endswith(address)


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.7:8786", "head-node:8786", "tcp://0.0.0.0:8786", "ws://head:1", "inproc://x", "ucx://h:1"]
)
def test_open_schedulers_are_refused_unless_allowed(address: str, settings) -> None:
    with pytest.raises(RejectedInput, match="scheduler-open"):
        checked_scheduler(address)
    settings.ALLOW_PLAIN_DASK = True
    if address.startswith(("inproc", "ucx")):
        with pytest.raises(RejectedInput, match="scheduler-open"):
            checked_scheduler(address)
    else:
        assert checked_scheduler(address).endswith(address)


def test_a_scheduler_that_is_not_there_is_said_so(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "CONNECT_SECONDS", 0.5)
    settings.DASK_SCHEDULER = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(TryAgain, match="scheduler-silent"):
        list(each_done(work.double, [1, 2], key=str))


@pytest.mark.slow
def test_a_scheduler_without_workers_is_said_so(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "WORKER_WAIT_SECONDS", 0.5)
    with dask_processes() as processes:
        settings.DASK_SCHEDULER = processes.address
        with pytest.raises(TryAgain, match="no-workers"):
            list(each_done(work.double, [1, 2], key=str))


@pytest.mark.slow
def test_workers_that_do_not_see_the_data_folder_are_refused(settings) -> None:
    with dask_processes(workers=1) as processes:
        settings.DASK_SCHEDULER = processes.address
        settings.DATA_FOLDER = Path("/nowhere")
        with pytest.raises(RejectedInput, match="workers-unfit"):
            list(each_done(work.double, [1, 2], key=str))


@pytest.mark.slow
def test_a_scheduler_that_goes_away_ends_the_run(tmp_path: Path, settings) -> None:
    with dask_processes(workers=1) as processes:
        settings.DASK_SCHEDULER = processes.address
        settings.DATA_FOLDER = tmp_path
        marker = tmp_path / "a"
        Thread(target=lambda: (_wait_for(marker), processes.scheduler.kill()), daemon=True).start()
        with pytest.raises(TryAgain, match="scheduler-silent"):
            list(each_done(work.wait_in, [marker, tmp_path / "b"], key=lambda path: path.name))
        assert marker.exists()


@pytest.mark.slow
def test_a_scheduler_behind_tls_takes_us_and_nobody_without_the_certificate(tmp_path: Path, settings) -> None:
    drawn = Security.temporary()
    pem = tmp_path / "all.pem"
    pem.write_text(drawn.tls_ca_file + drawn.tls_client_key)
    settings.DATA_FOLDER = tmp_path
    ours = {f"distributed.comm.tls.{name}": str(pem) for name in ("ca-file", "client.cert", "client.key")}
    with dask_processes(workers=1, tls=pem) as processes:
        settings.DASK_SCHEDULER = processes.address
        with dask.config.set(ours):
            assert [outcome.result for outcome in each_done(work.double, [21], key=str)] == [42]
        other = Security.temporary()
        with pytest.raises(OSError, match=r"Timed out|certificate"):
            Client(processes.address, security=other, timeout=2, set_as_default=False)


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
