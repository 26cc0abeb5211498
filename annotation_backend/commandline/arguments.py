"""Base of all commands: --json, findings, and errors that become exit statuses."""

import json
import os
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand
from django.db import DataError, OperationalError, ProgrammingError

from datasets.errors import MaskloopError, RejectedInput, TryAgain
from datasets.progress import SpokenProgress

DONE, DONE_WITH_FINDINGS, WRONG_USAGE, NOT_FIT = 0, 1, 2, 3
INTERRUPTED = 130
"""Status after Ctrl-C, as shells have it."""

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")


class Show(Protocol):
    """Called with (things done, things to do), and a loss where there is one."""

    def __call__(self, done: int, total: int, note: float | None = None) -> None:
        """Shows the progress."""
        ...


def add_workers(parser: ArgumentParser) -> None:
    """Adds --workers, for commands that compute over cases."""
    parser.add_argument(
        "--workers",
        type=int,
        choices=range(1, 513),
        metavar="N",
        help="processes on this machine (default: DASK_SCHEDULER, or else MASKLOOP_WORKERS, or else one a core)",
    )


def a_path(text: str) -> Path:
    """A path that was really given: an unset variable of a script is an empty word, which would be the working folder.

    ``~`` is the home folder, also where no shell said so.

    Raises:
        ArgumentTypeError: It is empty, or a path of Windows on another system, which would become one odd name here.
    """
    if not text.strip():
        raise ArgumentTypeError("the path is empty; is a variable of your script unset?")
    if os.sep == "/" and _OF_WINDOWS.match(text) and not os.path.lexists(text):
        raise ArgumentTypeError("this is a path of Windows; give one of this machine, such as /data/studies")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ArgumentTypeError("nobody on this machine has the name after the ~") from error


class MaskloopCommand(BaseCommand):
    """A thin face of a service: people's text goes to stderr, and with --json one document to stdout.

    `run` does the work and returns (document, findings). The exit status is 0 done, 1 done but with findings,
    2 wrong usage or rejected input, 3 the environment is not fit, 130 interrupted by Ctrl-C.
    """

    _has_answered = False

    def run_from_argv(self, argv: list[str]) -> None:
        """Runs the command; wrong usage, too, is one document where --json is given."""
        try:
            super().run_from_argv(argv)
        except SystemExit as ended:
            if ended.code == WRONG_USAGE and not self._has_answered and "--json" in argv:
                line = "Wrong usage; the line above says what is wrong. [usage]"
                self._leave({"error": line, "code": "usage"}, [], WRONG_USAGE, {"json": True})
            raise

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds --json; subclasses add theirs in `add_own_arguments`."""
        parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
        self.add_own_arguments(parser)

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The command's own arguments."""

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Does the command's work.

        Returns:
            The result as plain values for JSON, and one line for each finding.
        """
        raise RuntimeError(f"{type(self).__name__} does nothing.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs the command and leaves with its exit status."""
        try:
            _require_sound(options)
            document, findings = self.run(**options)
        except _ENDS as error:
            line, code, status = _refusal(error)
            self._leave({"error": line, "code": code}, [line], status, options)
        else:
            status = DONE_WITH_FINDINGS if findings else DONE
            self._leave({**document, "findings": findings}, findings, status, options)

    def say(self, text: str) -> None:
        """One line for the person at the terminal."""
        self.stderr.write(text, style_func=str)  # Django's stderr is red on a terminal, as its notices are

    def progress(self, what: str) -> "Show":
        """A progress bar with the time left, on a terminal; a line every minute in a log."""
        if not sys.stderr.isatty():
            return SpokenProgress(self.say, what)
        from tqdm import tqdm

        bar = tqdm(desc=what, leave=False, dynamic_ncols=True)

        def show(done: int, total: int, note: float | None = None) -> None:
            if not bar.n and done > 1:  # what was done before this run says nothing of its speed
                bar.initial = bar.n = done - 1
            bar.total = total
            if note is not None:
                bar.set_postfix_str(f"loss {note:.4f}", refresh=False)
            bar.update(done - bar.n)
            if done >= total:
                bar.close()

        return show

    def _leave(self, document: dict[str, Any], findings: list[str], status: int, options: dict[str, Any]) -> None:
        self._has_answered = True
        for finding in findings:
            self.stderr.write(self.style.WARNING(finding))
        if options.get("json"):
            self.stdout.write(json.dumps(document, indent=2, sort_keys=True))
        if status:
            sys.exit(status)


_NO_DATABASE = ("The database is not there or of another version. Run `make up` first.", "database", NOT_FIT)
_REFUSALS: dict[type[BaseException], tuple[str, str, int]] = {
    OperationalError: _NO_DATABASE,
    ProgrammingError: _NO_DATABASE,
    MemoryError: (
        "This needs more memory than the machine has. Take a smaller image or a larger machine.",
        "memory",
        NOT_FIT,
    ),
    RecursionError: (
        "A path or a file is nested too deeply. Check the arguments.",
        "argument-depth",
        WRONG_USAGE,
    ),
    OverflowError: (
        "A number is larger than anything here can be. Correct it.",
        "argument-range",
        WRONG_USAGE,
    ),
    DataError: (
        "A number or a text does not fit the database. Correct it.",
        "argument-range",
        WRONG_USAGE,
    ),
    KeyboardInterrupt: (
        "Interrupted. Finished work is kept; run the command again to go on.",
        "interrupted",
        INTERRUPTED,
    ),
}
"""Exceptions that may end any command and are no error of ours: message, code and exit status."""

_ENDS: tuple[type[BaseException], ...] = (MaskloopError, ImproperlyConfigured, OSError, *_REFUSALS)


def _refusal(error: BaseException) -> tuple[str, str, int]:
    """One line that holds no path and no traceback, a code, and the exit status."""
    if isinstance(error, MaskloopError):
        return str(error), error.code, NOT_FIT if isinstance(error, TryAgain) else WRONG_USAGE
    if isinstance(error, ImproperlyConfigured):
        return str(error), "environment", NOT_FIT
    known = next((said for kind, said in _REFUSALS.items() if isinstance(error, kind)), None)
    if known is not None:
        text, code, status = known
        return f"{text} [{code}]", code, status
    # a place that cannot be read or written, a full disk; the system's words name no file
    line = f"A file could not be read or written: {getattr(error, 'strerror', '') or type(error).__name__}."
    line += " Check the paths given, who may write there, and the space on the disk. [file-access]"
    return line, "file-access", WRONG_USAGE


def _require_sound(options: Mapping[str, Any]) -> None:
    """Refuses arguments that no database or system takes: NUL, and the half characters that invalid UTF-8 turns into.

    Raises:
        RejectedInput: ``argument-text``. A path may hold any bytes but NUL, as a file's name may.
    """
    for value in _words(options.values()):
        text = str(value)
        is_broken = not isinstance(value, Path) and any(0xD800 <= ord(sign) <= 0xDFFF for sign in text)
        if is_broken or "\0" in text:
            raise RejectedInput(
                "argument-text",
                "An argument holds a NUL character or is no valid UTF-8.",
                remedy="Write the arguments anew; a copied word may hold signs that do not show.",
            )


def _words(values: Iterable[Any]) -> Iterator[str | Path]:
    for value in values:
        if isinstance(value, str | Path):
            yield value
        elif isinstance(value, list | tuple):
            yield from _words(value)
