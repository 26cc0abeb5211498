"""The processes of `up`: started, started again when they end, named when they cannot run, stopped together."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from annotation_backend.environment import ROOT
from annotation_backend.supervision import kept_process, supervisor
from annotation_backend.supervision.former_run import FormerRun
from annotation_backend.supervision.kept_process import KeptProcess
from annotation_backend.supervision.supervisor import Processes, read_procfile, require_free
from datasets.errors import RejectedInput, TryAgain
from tests.annotation_backend.support.waiting import eventually


def _processes(folder: Path, procfile: str, told: list[str] | None = None) -> Processes:
    (folder / "Procfile").write_text(procfile)
    return Processes(
        folder / "Procfile",
        logs=folder / "logs",
        environment={"WORD": "from-environment"},
        tell=(told if told is not None else []).append,
    )


def _lines(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_a_process_that_never_runs_is_named_with_its_status_and_the_end_of_its_log(tmp_path: Path) -> None:
    processes = _processes(tmp_path, "fine: sleep 60\nbroken: python -c \"print('no disk'); raise SystemExit(4)\"\n")
    for name in ("fine", "broken"):
        processes.start(name)
    try:
        with pytest.raises(TryAgain, match=r"(?s)broken ended with status 4.*no disk.*\[process-ended\]"):
            processes.wait_until(lambda: False, what="nothing", seconds=20)
    finally:
        processes.stop()


def test_without_a_process_that_is_not_needed_the_others_are_waited_for(tmp_path: Path) -> None:
    processes = _processes(tmp_path, "fine: sleep 60\nbroken: false\n")
    for name in ("fine", "broken"):
        processes.start(name)
    try:
        with pytest.raises(TryAgain, match="not-ready"):
            processes.wait_until(lambda: False, what="nothing", seconds=4, needed=["fine"])
        with pytest.raises(TryAgain, match="process-ended"):
            processes.wait_until(lambda: False, what="nothing", seconds=4, needed=["fine", "broken"])
    finally:
        processes.stop()


def test_a_killed_process_is_started_again_beside_the_others_and_that_is_said(tmp_path: Path) -> None:
    pids, others, told = tmp_path / "pids", tmp_path / "others", []
    script = "sh -c 'echo $$ >> {}; exec sleep 60'"
    processes = _processes(tmp_path, f"one: {script.format(pids)}\nother: {script.format(others)}\n", told)
    for name in ("one", "other"):
        processes.start(name, answers=lambda: True)
    processes.keep()
    try:
        eventually(lambda: _lines(pids) and _lines(others), seconds=20, what="both")
        os.kill(_lines(pids)[0], signal.SIGKILL)
        eventually(lambda: len(_lines(pids)) == 2, seconds=20, what="the second start")
        eventually(lambda: "one answers again." in told, seconds=20, what="the word that it answers")
        assert len(_lines(others)) == 1
    finally:
        processes.stop()
    assert told[:2] == [
        "one ended with signal SIGKILL; it is started again in 0.5 s. See data/logs/one.log.",
        "one was started again.",
    ]
    assert "--- ended with signal SIGKILL; it is started again in 0.5 s." in processes.log_of("one").read_text()


def test_what_a_killed_process_leaves_behind_is_ended_before_it_comes_back(tmp_path: Path) -> None:
    pids, children = tmp_path / "pids", tmp_path / "children"
    processes = _processes(tmp_path, f"parent: sh -c 'sleep 60 & echo $! >> {children}; echo $$ >> {pids}; wait'\n")
    processes.start("parent")
    processes.keep()
    try:
        eventually(lambda: _lines(pids), seconds=20, what="the first start")
        os.kill(_lines(pids)[0], signal.SIGKILL)
        eventually(lambda: len(_lines(pids)) == 2, seconds=20, what="the second start")
        first, second = _lines(children)
        assert not _lives(first)
        assert _lives(second)
    finally:
        processes.stop()
    assert not _lives(second)


def test_each_end_in_a_row_makes_the_pause_longer_up_to_a_bound_and_one_that_lasted_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(kept_process.time, "monotonic", lambda: clock[0])
    works = tmp_path / "works"
    command = ["sh", "-c", f"test -e {works} && exec sleep 60"]
    kept = KeptProcess(command, folder=tmp_path, environment=dict(os.environ), log=tmp_path / "one.log")
    pauses = []
    kept.start()
    for _ in range(10):
        _has_ended(kept)
        pauses.append(_pause_in(kept.tend()))
        assert kept.tend() is None, "its pause is not over"
        clock[0] += pauses[-1]
        assert kept.tend() == "was started again."
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    _has_ended(kept)
    works.touch()
    kept.tend()
    clock[0] += 30
    kept.tend()
    clock[0] += kept_process.SETTLED_SECONDS + 1
    assert kept.tend() is None
    _kill(kept)
    assert _pause_in(kept.tend()) == kept_process.SHORTEST_PAUSE
    clock[0] += kept_process.SHORTEST_PAUSE - 0.1
    assert kept.tend() is None
    assert not kept.is_hopeless


def test_a_process_that_cannot_be_started_now_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    kept = KeptProcess(["sleep", "60"], folder=folder, environment=dict(os.environ), log=tmp_path / "one.log")
    kept.start()
    _kill(kept)
    kept.tend()
    folder.rename(tmp_path / "gone")
    told = eventually(kept.tend, seconds=20, what="an attempt")
    assert "no start (No such file or directory)" in told
    (tmp_path / "gone").rename(folder)
    assert eventually(kept.tend, seconds=20, what="another attempt") == "was started again."
    kept.end(seconds=0)


def _kill(kept: KeptProcess) -> None:
    assert kept.group is not None
    os.killpg(kept.group, signal.SIGKILL)
    _has_ended(kept)


def _has_ended(kept: KeptProcess) -> None:
    """Waits for its end, also while a test's clock stands still."""
    for _ in range(400):
        if not kept.is_running:
            return
        time.sleep(0.05)
    raise AssertionError("it runs on")


def _pause_in(line: str | None) -> float:
    """Seconds until the next start, as a line tells them."""
    found = re.search(r"it is started again in ([\d.]+) s", line or "")
    assert found, line
    return float(found[1])


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


def test_what_a_killed_up_left_running_is_ended_by_the_next_and_a_living_ups_is_not(tmp_path: Path) -> None:
    told: list[str] = []
    pids, note = tmp_path / "pids", tmp_path / "logs" / "up.json"
    former = _processes(tmp_path, f"one: sh -c 'echo $$ >> {pids}; sleep 60'\n")
    former.start("one")
    try:
        eventually(lambda: _lines(pids), seconds=20, what="the process")
        following = _processes(tmp_path, "one: true\n", told)
        following.end_former()
        assert _lives(_lines(pids)[0]), "this process is the `up` that noted it, and it lives"
        noted = json.loads(note.read_text())
        note.write_text(json.dumps({**noted, "up": {str(os.getpid()): "0"}}))
        following.end_former()
        assert not _lives(_lines(pids)[0])
        assert told == ["1 process(es) that an `up` left running when it was killed were ended."]
    finally:
        former.stop()
    assert not note.exists()


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "5", "[1]", "null", '{"groups": {"1": "0"}}', '{"up": {}, "groups": {"999999": "5"}}'),
        *('{"up": null}', '{"up": {"x": "1"}}', '{"groups": {"1U": "0"}}', '{"groups": 3}', '{"groups": {"-1": "0"}}'),
    ],
)
def test_a_note_that_says_nothing_ends_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "up.json").write_text(text)
    assert FormerRun(tmp_path / "up.json").end() == 0
    assert not FormerRun(tmp_path / "up.json").is_going_on


def test_a_second_up_on_the_same_data_folder_is_refused_whatever_its_ports(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "60"])
    try:
        note = tmp_path / "logs" / "up.json"
        note.parent.mkdir()
        began = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
        note.write_text(json.dumps({"up": {str(other.pid): began}, "groups": {}}))
        with pytest.raises(RejectedInput, match="up-running"):
            _processes(tmp_path, "one: true\n").end_former()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
    _processes(tmp_path, "one: true\n").end_former()


def test_what_breaks_while_processes_are_tended_is_said_and_they_are_tended_on(tmp_path: Path) -> None:
    told: list[str] = []
    pids = tmp_path / "pids"
    processes = _processes(tmp_path, f"one: sh -c 'echo $$ >> {pids}; exec sleep 60'\n", told)
    answers = iter([RuntimeError("odd")])

    def answer() -> bool:
        for error in answers:
            raise error
        return True

    processes.start("one", answers=answer)
    processes.keep()
    try:
        eventually(lambda: _lines(pids), seconds=20, what="the first start")
        os.kill(_lines(pids)[0], signal.SIGKILL)
        eventually(lambda: "one answers again." in told, seconds=20, what="the word that it answers")
    finally:
        processes.stop()
    assert any("broke (RuntimeError); it goes on" in line for line in told)


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


def test_the_projects_procfile_names_its_processes() -> None:
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
    monkeypatch.setattr(supervisor, "LISTENER_FOR_LABEL_STUDIO", "192.0.2.1")
    with pytest.raises(RejectedInput, match=r"192\.0\.2\.1.*ifconfig lo0 alias.*\[address-missing\]"):
        require_free("http://192.0.2.1:18000", what="ML_BACKEND_URL")
