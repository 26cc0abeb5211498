"""A training that is killed at any moment goes on to the same weights; a full disk and a second training are named."""

import multiprocessing
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import RejectedInput
from tests.training.support import fit_child
from training.methods.train import alone_in

pytestmark = pytest.mark.slow

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["tests.training.support.fit_child"])
SETTINGS = fit_child.settings(iterations=40)
KILLS = 10


def test_ten_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    # Both in children of one kind, so that both compute with as many threads.
    _ended(whole, 0)
    random = np.random.default_rng(15)
    moments = []
    for _ in range(KILLS):
        child = CHILDREN.Process(target=fit_child.fit, args=(killed, SETTINGS))
        (killed / fit_child.AT).unlink(missing_ok=True)
        child.start()
        wanted = int(random.integers(1, 6))
        begun = _wait_for(killed, child)
        while child.is_alive() and _at(killed) < begun + wanted:
            time.sleep(0.001)
        time.sleep(float(random.uniform(0.0, 0.05)))
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL, "it was killed while it ran"
        moments.append(_at(killed))
    _ended(killed, 0)
    assert (killed / fit_child.DONE).read_bytes() == (whole / fit_child.DONE).read_bytes(), moments


def _ended(folder: Path, status: int) -> None:
    child = CHILDREN.Process(target=fit_child.fit, args=(folder, SETTINGS))
    child.start()
    child.join(timeout=600)
    assert child.exitcode == status


def _wait_for(folder: Path, child: multiprocessing.process.BaseProcess) -> int:
    """The iteration at which a child begins."""
    until = time.monotonic() + 300
    while not (at := _at(folder)):
        assert child.is_alive()
        assert time.monotonic() < until
        time.sleep(0.001)
    return at


def _at(folder: Path) -> int:
    try:
        return int((folder / fit_child.AT).read_text() or 0)
    except FileNotFoundError:
        return 0


def test_a_full_disk_at_a_checkpoint_is_named_and_the_former_one_stays(tmp_path: Path) -> None:
    fit_child.fit(tmp_path, fit_child.settings(iterations=40))
    before = (tmp_path / fit_child.CHECKPOINT).read_bytes()
    # The same fit, begun anew where only half a checkpoint has room.
    other = tmp_path / "little"
    other.mkdir()
    (other / fit_child.CHECKPOINT).write_bytes(_early(tmp_path))
    kept = (other / fit_child.CHECKPOINT).read_bytes()
    child = CHILDREN.Process(target=fit_child.fit_on_little_disk, args=(other, SETTINGS, len(before) // 2))
    child.start()
    child.join(timeout=600)
    assert child.exitcode == 1
    assert (other / fit_child.REFUSED).read_text() == "fit-disk-full"
    assert (other / fit_child.CHECKPOINT).read_bytes() == kept
    assert [path.name for path in other.glob(".part-*")] == []


def _early(folder: Path) -> bytes:
    """The checkpoint of a fit that was stopped after five iterations."""

    early = folder / "early"
    early.mkdir()
    child = CHILDREN.Process(target=fit_child.fit, args=(early, SETTINGS))
    child.start()
    while _at(early) < 5:
        time.sleep(0.001)
    child.kill()
    child.join()
    return (early / fit_child.CHECKPOINT).read_bytes()


def test_two_trainings_in_one_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".part-abc").write_bytes(b"left by a killed training")
    with alone_in(tmp_path):
        assert not list(tmp_path.glob(".part-*"))
        with pytest.raises(RejectedInput, match="training-running"), alone_in(tmp_path):
            pass
    with alone_in(tmp_path):
        pass
