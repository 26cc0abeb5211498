"""The processes of `up`: started, watched, named when they die, stopped together."""

import os
import socket
import time
from pathlib import Path

import pytest

from annotation_backend import processes
from annotation_backend.environment import ROOT
from annotation_backend.processes import Processes, read_procfile, require_free
from datasets.errors import RejectedInput, TryAgain


def _processes(folder: Path, procfile: str) -> Processes:
    (folder / "Procfile").write_text(procfile)
    return Processes(folder / "Procfile", logs=folder / "logs", environment={"WORD": "from-environment"})


def test_a_process_that_dies_is_named_with_its_status_and_the_end_of_its_log(tmp_path: Path) -> None:
    processes = _processes(tmp_path, "fine: sleep 60\nbroken: python -c \"print('no disk'); raise SystemExit(4)\"\n")
    for name in ("fine", "broken"):
        processes.start(name)
    try:
        with pytest.raises(TryAgain, match=r"(?s)broken ended with status 4.*no disk.*\[process-ended\]"):
            processes.wait_until(lambda: False, what="nothing", seconds=20)
    finally:
        processes.stop()


def test_stopping_ends_children_of_children(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    processes = _processes(tmp_path, f"parent: sh -c 'sleep 60 & echo $! > {marker}; wait'\n")
    processes.start("parent")
    processes.wait_until(lambda: marker.exists() and bool(marker.read_text().strip()), what="the child", seconds=20)
    child = int(marker.read_text())
    processes.stop()
    deadline = time.monotonic() + 5
    while _lives(child):
        assert time.monotonic() < deadline, "the child lives on"
        time.sleep(0.1)


def test_words_from_the_environment_are_filled_in(tmp_path: Path) -> None:
    processes = _processes(tmp_path, "speaker: echo $WORD\n")
    processes.start("speaker")
    with pytest.raises(TryAgain, match="from-environment"):
        processes.wait_until(lambda: False, what="nothing", seconds=20)


def test_what_is_not_ready_in_time_is_named(tmp_path: Path) -> None:
    processes = _processes(tmp_path, "fine: sleep 60\n")
    processes.start("fine")
    try:
        with pytest.raises(TryAgain, match="The moon did not answer"):
            processes.wait_until(lambda: False, what="The moon", seconds=1)
    finally:
        processes.stop()


def test_the_projects_procfile_names_three_processes() -> None:
    assert list(read_procfile(ROOT / "Procfile")) == ["label_studio", "web", "worker", "trainer", "reconciler"]


def test_a_taken_port_is_refused_by_name() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RejectedInput, match=r"MASKLOOP_URL needs port \d+ .*\[port-taken\]"):
            require_free(url, what="MASKLOOP_URL")
    require_free(url, what="MASKLOOP_URL")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"


def test_a_machine_without_the_address_for_label_studio_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LISTENER_FOR_LABEL_STUDIO", "192.0.2.1")
    with pytest.raises(RejectedInput, match=r"192\.0\.2\.1.*ifconfig lo0 alias.*\[address-missing\]"):
        require_free("http://192.0.2.1:18000", what="ML_BACKEND_URL")
