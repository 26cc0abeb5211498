"""What all commands share: --json, findings, and errors that become exit statuses."""

import json
import sys
from argparse import ArgumentParser
from typing import Any, Protocol

from django.core.management.base import BaseCommand
from django.db import OperationalError

from datasets.errors import MaskloopError, TryAgain

DONE, DONE_WITH_FINDINGS, WRONG_USAGE, NOT_FIT = 0, 1, 2, 3


class Show(Protocol):
    """Called with what is done, what there is to do, and a loss where there is one."""

    def __call__(self, done: int, total: int, note: float | None = None) -> None:
        """Shows it."""
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


class MaskloopCommand(BaseCommand):
    """A thin face of a service: people's text goes to stderr, and with --json one document to stdout.

    `run` does the work and returns (document, findings). The exit status is 0 done, 1 done but with findings,
    2 wrong usage or rejected input, 3 the environment is not fit.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds --json; subclasses add theirs in `add_own_arguments`."""
        parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
        self.add_own_arguments(parser)

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The command's own arguments."""

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Does the work.

        Returns:
            What was done, as plain values for JSON; and one line for each finding.
        """
        raise RuntimeError(f"{type(self).__name__} does nothing.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs the command and leaves with its exit status."""
        try:
            document, findings = self.run(**options)
        except OperationalError:
            line = "The database is not there or of another version. Run `make up` first. [database]"
            self._leave({"error": line, "code": "database"}, [line], NOT_FIT, options)
        except TryAgain as error:
            self._leave({"error": str(error), "code": error.code}, [str(error)], NOT_FIT, options)
        except MaskloopError as error:
            self._leave({"error": str(error), "code": error.code}, [str(error)], WRONG_USAGE, options)
        except OSError as error:  # a place that cannot be read or written, a full disk; the system's words name no file
            line = f"Expected files that can be read and written, got: {error.strerror or type(error).__name__}. "
            line += "Check the paths given, who may write there, and the space on the disk. [file-access]"
            self._leave({"error": line, "code": "file-access"}, [line], WRONG_USAGE, options)
        except MemoryError:
            line = "This needs more memory than the machine has. Take a smaller image or a larger machine. [memory]"
            self._leave({"error": line, "code": "memory"}, [line], NOT_FIT, options)
        else:
            status = DONE_WITH_FINDINGS if findings else DONE
            self._leave({**document, "findings": findings}, findings, status, options)

    def say(self, text: str) -> None:
        """One line for the person at the terminal."""
        self.stderr.write(self.style.NOTICE(text) if self.stderr.isatty() else text)

    def progress(self, what: str) -> "Show":
        """A progress bar with the time left, on a terminal; nothing in a log."""
        from tqdm import tqdm

        bar = tqdm(desc=what, disable=None, leave=False, dynamic_ncols=True)

        def show(done: int, total: int, note: float | None = None) -> None:
            bar.total = total
            if note is not None:
                bar.set_postfix_str(f"loss {note:.4f}", refresh=False)
            bar.update(done - bar.n)
            if done >= total:
                bar.close()

        return show

    def _leave(self, document: dict[str, Any], findings: list[str], status: int, options: dict[str, Any]) -> None:
        for finding in findings:
            self.stderr.write(self.style.WARNING(finding))
        if options.get("json"):
            self.stdout.write(json.dumps(document, indent=2, sort_keys=True))
        if status:
            sys.exit(status)
