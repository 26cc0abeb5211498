"""A PostgreSQL cluster of its own for one run, on a free port of 127.0.0.1, gone afterwards."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

START_SECONDS = 60.0
STOP_SECONDS = 30.0

_USER = "maskloop"


def program_folder() -> Path | None:
    """Folder of initdb and postgres: beside pg_ctl, or the newest of Debian's; None if there is none."""
    found = shutil.which("pg_ctl")
    if found is not None:
        return Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")
    return max((path.parent for path in installed), key=lambda path: float(path.parent.name), default=None)


@contextmanager
def throwaway_postgresql() -> Iterator[str]:
    """Starts a cluster with PostgreSQL's own settings and a password; stops and removes it when the block ends.

    As root, the processes run as the user ``postgres``, because PostgreSQL refuses root.

    Yields:
        The address of its first database, ``postgresql://user:password@127.0.0.1:port/postgres``.

    Raises:
        RuntimeError: There is no PostgreSQL here, or it did not start.
    """
    programs = program_folder()
    if programs is None:
        raise RuntimeError("PostgreSQL is not installed (apt-get install postgresql).")
    folder, port, password = Path(tempfile.mkdtemp(prefix="maskloop-postgresql-")), _free_port(), secrets.token_hex(16)
    server = None
    try:
        _make_cluster(programs, folder, password)
        server = _start(programs, folder, port)
        url = f"postgresql://{_USER}:{password}@127.0.0.1:{port}/postgres"
        _wait_until_up(server, url, folder)
        yield url
    finally:
        if server is not None:
            _stop(server)
        shutil.rmtree(folder, ignore_errors=True)


def create_database(url: str, name: str) -> str:
    """Makes a database in the cluster at `url`; returns its own address."""
    import psycopg
    from psycopg.sql import SQL, Identifier

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _make_cluster(programs: Path, folder: Path, password: str) -> None:
    """Makes an empty cluster in ``folder/data`` that requires the password."""
    secret = folder / "password"
    secret.write_text(password)
    if os.geteuid() == 0:
        for path in (folder, secret):
            shutil.chown(path, "postgres")
    command = [str(programs / "initdb"), "--pgdata", str(folder / "data"), "--username", _USER, "--encoding", "UTF8"]
    command += ["--auth", "scram-sha-256", "--pwfile", str(secret), "--locale", "C.UTF-8"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **_not_as_root())  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"initdb left with {done.returncode}: {done.stderr}")


def _start(programs: Path, folder: Path, port: int) -> "subprocess.Popen[bytes]":
    command = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder)]
    with (folder / "server.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 (the installed server, no shell)
            [*command, "-c", "listen_addresses=127.0.0.1"], cwd=folder, stdout=log, stderr=log, **_not_as_root()
        )


def _wait_until_up(server: "subprocess.Popen[bytes]", url: str, folder: Path) -> None:
    import psycopg

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=3).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                log = (folder / "server.log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start:\n{log}") from None
            time.sleep(0.2)


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """A fast shutdown: open connections are ended, nothing is lost."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _not_as_root() -> dict[str, Any]:
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
