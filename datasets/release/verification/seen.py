"""What was seen whole, kept in a file of lines, so that a verification goes on where it ended or was killed."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from datasets.errors import RejectedInput
from datasets.release.verification.contents import Facts
from datasets.release.verification.reading import Plan, Reading

_FIRST_LINE = '{"schema": "maskloop-seen/1"}\n'

_STEADY_NS = 2_000_000_000
"""A file that was written less than two seconds before it was read may be written again within the same time stamp."""


class Seen:
    """Files that were whole, each known by size, time of change, place on the disk and digest.

    Args:
        rows: What is known by the file's path in the release.
        stream: Where more is written; None to forget it.
    """

    def __init__(self, rows: dict[str, Any], stream: TextIO | None) -> None:
        self._rows = rows
        self._stream = stream

    def reading(self, folder: Path, plan: Plan) -> Reading | None:
        """What came of reading a file that was not touched since; None where it has to be read."""
        row = self._rows.get(plan.path)
        if row is None:
            return None
        try:
            status = (folder / plan.path).lstat()
            if row["kind"] != plan.kind.value or row["mark"] != _mark(status):
                return None
            return Reading(str(row["sha256"]), _facts(row["facts"]), status=status)
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def add(self, plan: Plan, reading: Reading) -> None:
        """Remembers a file that was read to its end and is sound inside.

        Raises:
            OSError: It cannot be written.
        """
        status = reading.status
        if self._stream is None or status is None or reading.refusal is not None:
            return
        if time.time_ns() - status.st_mtime_ns < _STEADY_NS:
            return
        facts = vars(reading.facts) if reading.facts else None
        about = {"kind": plan.kind.value, "mark": _mark(status), "sha256": reading.sha256, "facts": facts}
        self._stream.write(json.dumps({"path": plan.path, **about}) + "\n")
        self._stream.flush()


@contextmanager
def opened_seen(file: Path | None, *, anew: bool = False) -> Iterator[Seen]:
    """What a file of an earlier verification knows; more is added to it.

    Args:
        file: The file, made where it is not there; None to remember nothing.
        anew: Whether to forget what it knows.

    Raises:
        RejectedInput: It is a file of something else (``state-foreign``).
        OSError: It cannot be read or written.
    """
    if file is None:
        yield Seen({}, None)
        return
    with file.open("a+", encoding="utf-8", errors="replace", newline="\n") as stream:
        stream.seek(0)
        first = stream.readline()
        if first not in ("", _FIRST_LINE):
            raise RejectedInput(
                "state-foreign",
                "The file given for the state is a file of something else.",
                remedy="Give a path where nothing lies yet.",
            )
        rows = {} if anew else _rows(stream)
        if anew or not first:
            stream.seek(0)
            stream.truncate()
            stream.write(_FIRST_LINE)
        stream.write("\n")  # ends a line that was cut off when the writer was killed
        yield Seen(rows, stream)


def _rows(stream: TextIO) -> dict[str, Any]:
    rows = {}
    for line in stream:
        try:
            row = json.loads(line)
            rows[str(row["path"])] = row
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return rows


def _mark(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _facts(values: Any) -> Facts | None:
    if values is None:
        return None
    rows = tuple(tuple(map(float, row)) for row in values["rows"])
    labels = None if values["values"] is None else tuple(map(int, values["values"]))
    return Facts(tuple(map(int, values["shape"])), rows, str(values["voxels"]), labels)
