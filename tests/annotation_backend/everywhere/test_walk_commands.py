"""Every command with words that nobody means: it says what is wrong, with the right status, and never a traceback."""

import json
import os
import sys
from argparse import Action, ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation_backend.commandline.arguments import a_path
from tests.annotation_backend.support.arguments import actions_of, choices_of_one, ways_of
from tests.annotation_backend.support.installation import free_port

pytestmark = pytest.mark.django_db

LONG_RUNNING = {"doctor", "up", "run_label_studio"}
"""They start or try the whole installation, whatever else is wrong; their arguments are tried by themselves."""

OURS = sorted(
    name
    for name, app in get_commands().items()
    if str(app).startswith("annotation_backend") and name not in {*LONG_RUNNING, "migrate", "db_worker"}
)
WORDS = [
    "",
    " ",
    "nowhere/at-all",
    "FILE",
    "FOLDER",
    "-1",
    "9" * 40,
    "nan",
    "\udce9",
    "a\0b",
    "x" * 5000,
    "../..",
    "C9999",
]
DJANGOS = {
    "version",
    "verbosity",
    "settings",
    "pythonpath",
    "traceback",
    "no_color",
    "force_color",
    "skip_checks",
    "json",
}
LOOPS = {"every"}
"""Options that make a command run until it is stopped, where they are well formed."""


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings) -> None:
    """A working folder, a data folder and a Label Studio address of this test's own; nothing answers at the latter."""
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_FOLDER.mkdir()
    settings.LABEL_STUDIO_URL = f"http://127.0.0.1:{free_port()}"
    home = tmp_path / "home"
    (home / "FOLDER").mkdir(parents=True)
    (home / "FILE").write_text("no image")
    monkeypatch.chdir(home)


def _parser(name: str) -> ArgumentParser:
    return load_command_class(get_commands()[name], name).create_parser("manage.py", name)


def _own(parser: ArgumentParser) -> list[Action]:
    kept = [action for action in actions_of(parser) if action.dest not in {*DJANGOS, "help"}]
    return [action for action in kept if not isinstance(action.choices, dict)]


def _filled(action: Action, word: str) -> list[str]:
    if action.nargs == 0:
        return [action.option_strings[-1]]
    said = str(next(iter(action.choices))) if action.choices and action.type is None else word
    times = action.nargs if isinstance(action.nargs, int) else 1
    return [*action.option_strings[-1:], *[said] * times]


def _required(parser: ArgumentParser, word: str) -> list[str]:
    options = [filled for action in _own(parser) if action.required and action.option_strings
               for filled in _filled(action, word)]  # fmt: skip
    groups = [filled for options_of_one in choices_of_one(parser) for filled in _filled(options_of_one[0], word)]
    positions = [filled for action in _own(parser) if not action.option_strings for filled in _filled(action, word)]
    return [*options, *groups, "--", *positions] if positions else [*options, *groups]


def _run(name: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    status = 0
    sys.stderr.reconfigure(errors="backslashreplace")  # as Python's own is
    try:
        load_command_class(get_commands()[name], name).run_from_argv(["manage.py", name, *words])
    except SystemExit as ended:
        status = int(ended.code or 0)
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    if "--json" in words:
        assert isinstance(json.loads(shown.out), dict)
    assert status in range(4)
    if status:
        assert shown.err.strip()
    return status


def _argument_lists(name: str) -> Iterator[list[str]]:
    for way, parser in ways_of(_parser(name)):
        yield [*way, "--json"]
        for word in WORDS:
            yield [*way, "--json", *_required(parser, word)]
        for action in _own(parser):
            if action.option_strings and action.nargs != 0 and action.dest not in LOOPS:
                yield from (
                    [*way, "--json", *_filled(action, word), *_required(parser, "FILE")] for word in ("", "-1", "a\0b")
                )


@pytest.mark.slow
@pytest.mark.parametrize("name", OURS)
def test_no_words_end_a_command_in_a_traceback(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in _argument_lists(name):
        assert _run(name, words, capsys) in range(4), words


@pytest.mark.parametrize("name", sorted(LONG_RUNNING))
def test_wrong_arguments_of_what_runs_long_are_wrong_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(name, ["--json", "--no-such-option"], capsys) == 2


@pytest.mark.parametrize("folder", ["", " ", ".", "data", "nowhere", "FILE", "checkout", "above"])
def test_studies_are_taken_from_a_folder_of_studies_alone(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from annotation_backend.environment import ROOT

    monkeypatch.chdir(ROOT)
    given = {"data": str(tmp_path / "data"), "checkout": str(ROOT / "docs"), "above": str(ROOT.parent)}.get(
        folder, folder
    )
    assert _run("ingest_studies", [given, "--json"], capsys) == 2


WORD = st.text(max_size=12) | st.sampled_from(WORDS)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["register_cases", "export_slices", "exclude_case", "choose_series", "verify_release",
                          "ingest_studies", "compare_annotations", "convert_export", "build_release", "promote_model"]),
    words=st.lists(WORD | st.sampled_from(["--json", "--case", "--dry-run", "--reason", "to-nifti", "--"]), max_size=6),
)  # fmt: skip
def test_generated_words_are_answered(name: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if not {"-h", "--help", "--version"} & set(words):
        _run(name, words, capsys)


@pytest.mark.parametrize(
    "words",
    [
        ["convert_export", "from-nifti", ".", "tasks.json"],
        ["convert_export", "to-nifti", "FILE", "a/" * 2000],
        ["report_cohort", "--output", "a/" * 2000],
        ["convert_medsam", "PIPE"],
        ["convert_medsam", "/dev/zero"],
    ],
)
def test_odd_places_are_refused_by_name(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("PIPE")
    (tmp_path / "home" / "FILE").write_text("[]")
    assert _run(words[0], [*words[1:], "--json"], capsys) == 2


def test_a_path_is_one_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert a_path("~/reports") == tmp_path / "reports"
    assert a_path("reports/C") == Path("reports/C")
    for word, said in (
        ("", "the path is empty"),
        (" ", "the path is empty"),
        ("C:\\reports", "a path of Windows"),
        ("d:/reports", "a path of Windows"),
        ("~nobody-of-that-name/reports", "nobody on this machine has the name"),
    ):
        with pytest.raises(ArgumentTypeError, match=said):
            a_path(word)
    monkeypatch.chdir(tmp_path)
    Path("C:\\reports").touch()
    assert a_path("C:\\reports") == Path("C:\\reports"), "a file that is there is meant"
