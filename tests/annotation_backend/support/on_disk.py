"""A copy of the test's database on disk for tests in which several threads write: one in memory knows no waiting."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

from django.db import connection, connections

from datasets.errors import RejectedInput


@contextmanager
def database_on_disk(path: Path) -> Iterator[None]:
    """Lets threads that begin in the block open the database in `path`, a copy of what the test's holds now.

    The test's own thread keeps its connection, and must not use it in the block. PostgreSQL needs no copy.
    """
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    with sqlite3.connect(path) as copy:
        connection.connection.backup(copy)
    settings = connections.settings["default"]
    name, settings["NAME"] = settings["NAME"], str(path)
    try:
        yield
    finally:
        settings["NAME"] = name


def in_a_thread(do: Callable[[], Any]) -> Any:
    """What `do` returns in a thread of its own."""
    return at_once(do)[0]


def at_once(*each: Callable[[], Any]) -> list[Any]:
    """Runs functions at the same moment, each in a thread with a connection of its own.

    Returns:
        What each returned, or the code of the refusal that it raised.
    """
    barrier = Barrier(len(each))

    def run(do: Callable[[], Any]) -> Any:
        try:
            barrier.wait()
            return do()
        except RejectedInput as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(each)) as pool:
        return list(pool.map(run, each))
