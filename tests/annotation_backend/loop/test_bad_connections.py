"""Bad connections to the real web server: wrong lengths, bodies that never end or drip in, and hang-ups."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from annotation_backend.accounts.throttle import TRIES_OF_AN_ACCOUNT
from annotation_backend.environment import ROOT, fresh_environment
from annotation_backend.supervision.supervisor import STOP_SECONDS, read_procfile

pytestmark = pytest.mark.slow

SOON_SECONDS = 4.0
"""A health check among bad connections takes milliseconds; on a machine that is busy otherwise a little more."""

MANY = 60
"""Bad connections at once: more than the web process has threads."""


@dataclass(frozen=True)
class Server:
    """The Procfile's web service, with one process."""

    port: int
    log: Path
    authorization: str

    def connect(self) -> socket.socket:
        """A connection that nothing was sent on yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def head(self, line: str = "POST /ml/predict", *more: str) -> bytes:
        """A request's head without its last line."""
        words = (f"{line} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: {self.authorization}", *more)
        return "\r\n".join([*words, ""]).encode()

    def answer(self, content: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to what is sent as it is."""
        with closing(self.connect()) as connection:
            connection.sendall(content)
            found = b""
            while part := connection.recv(1 << 16):
                found += part
        head, _, body = found.partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    def is_well(self) -> None:
        """Health is told at once, and a batch is read and answered: this empty database knows no task."""
        started = time.monotonic()
        assert self.answer(self.head("GET /ml/health", "Connection: close") + b"\r\n")[0] == 200
        assert time.monotonic() - started < SOON_SECONDS
        body = b'{"tasks": [{"id": 1}], "project": "1.1"}'
        status, answer = self.answer(self.with_length(len(body)) + body)
        assert (status, json.loads(answer)["code"]) == (400, "task-unknown")
        assert "Traceback" not in self.log.read_text()

    def with_length(self, length: object, *more: str) -> bytes:
        """A whole head that declares a body."""
        return self.head("POST /ml/predict", "Connection: close", f"Content-Length: {length}", *more) + b"\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Started once, with an empty database of its own."""
    folder = tmp_path_factory.mktemp("web")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    own = {
        "MASKLOOP_DATA": str(folder), "DATABASE_URL": f"sqlite:///{folder / 'ours.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "annotation_backend.settings", "GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{port}",
        "MASKLOOP_WEB_PROCESSES": "1", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    environment = {**os.environ, **fresh_environment(), **own}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True)
    code = (
        "import django; django.setup(); "
        "from annotation_backend.labeling.studio.credentials import basic_auth; print(basic_auth())"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True)
    words = [
        environment[word[1:]] if word.startswith("$") else word for word in read_procfile(ROOT / "Procfile")["web"]
    ]
    words[0] = str(Path(sys.executable).parent / words[0])
    found = Server(port, folder / "web.log", told.stdout.decode().strip())
    with found.log.open("wb") as log:
        process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _wait(found)
        yield found
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _wait(server: Server) -> None:
    for _ in range(300):
        with suppress(OSError, IndexError, AssertionError):  # the first request loads what all need
            server.is_well()
            return
        time.sleep(0.1)
    raise AssertionError(server.log.read_text())


CHUNKED = ("Connection: close", "Transfer-Encoding: chunked")

LIES: dict[str, tuple[Callable[[Server], bytes], int]] = {
    "4 GB declared": (lambda server: server.with_length(1 << 32) + b"{}", 413),
    "4 GB declared, by nobody": (lambda _: b"POST /ml/webhook HTTP/1.1\r\nContent-Length: 4294967296\r\n\r\n", 413),
    "a negative length": (lambda server: server.with_length(-1), 400),
    "a length in words": (lambda server: server.with_length("many"), 400),
    "a length of a thousand digits": (lambda server: server.with_length("9" * 1000), 413),
    "two lengths": (lambda server: server.with_length(2, "Content-Length: 5") + b"{}", 400),
    "a length beside chunks": (lambda server: server.with_length(2, "Transfer-Encoding: chunked") + b"{}", 400),
    "two hosts": (lambda server: server.head("GET /alive", "Connection: close", "Host: evil.org") + b"\r\n", 400),
    "an address of 9 kB": (lambda server: server.head(f"GET /{'a' * 9000}", "Connection: close") + b"\r\n", 414),
    "a method that is sent back": (lambda server: server.head("TRACE /alive", "Connection: close") + b"\r\n", 405),
    "a method of nobody": (lambda server: server.head("BREW /alive", "Connection: close") + b"\r\n", 403),
    "two authorizations": (lambda server: server.with_length(2, "Authorization: Basic x") + b"{}", 401),
    "three thousand headers": (lambda server: server.with_length(0, *["X-A: a"] * 3000), 431),
    "a header of 100 kB": (lambda server: server.with_length(0, f"X-A: {'a' * 100_000}"), 431),
    "chunks": (lambda server: server.head("POST /ml/predict", *CHUNKED) + b"\r\n2\r\n{}\r\n0\r\n\r\n", 400),
    "no HTTP": (lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_answered_at_once_and_harms_nobody(server: Server, name: str) -> None:
    content, expected = LIES[name]
    started = time.monotonic()
    status, body = server.answer(content(server))
    assert status == expected
    assert time.monotonic() - started < SOON_SECONDS
    assert b"Traceback" not in body
    if status == 413:
        assert json.loads(body)["code"] == "request-too-large"
    server.is_well()


def test_chunks_without_end_keep_nobody_waiting(server: Server) -> None:
    over = threading.Event()

    def pour() -> None:
        with suppress(OSError), closing(server.connect()) as connection:
            connection.sendall(server.head("POST /ml/predict", "Transfer-Encoding: chunked") + b"\r\n")
            while not over.wait(0.02):
                connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    threads = [threading.Thread(target=pour) for _ in range(20)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1.0)
        server.is_well()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    server.is_well()


STARTS: dict[str, Callable[[Server], bytes]] = {
    "that say nothing": lambda _server: b"",
    "whose head drips": lambda server: server.head() + b"X-A: ",
    "whose form drips": lambda server: server.head("POST /accounts/login/", "Content-Length: 5000") + b"\r\n",
    "whose save drips": lambda server: server.head("POST /ml/webhook", "Content-Length: 5000") + b"\r\n{",
    "whose large body drips": lambda server: server.head("POST /ml/webhook", "Content-Length: 5000000") + b"\r\n{",
}


@pytest.mark.parametrize("name", STARTS, ids=lambda name: f"connections {name}")
def test_slow_connections_keep_nobody_waiting(server: Server, name: str) -> None:
    connections = [server.connect() for _ in range(MANY)]
    try:
        for _ in range(4):
            for connection in connections:
                connection.sendall(STARTS[name](server) if _ == 0 else b"a" * bool(STARTS[name](server)))
            server.is_well()
            time.sleep(0.2)
    finally:
        for connection in connections:
            connection.close()
    server.is_well()


def test_a_request_in_pieces_is_answered(server: Server) -> None:
    body = b'{"tasks": [], "project": "1.1"' + b" " * 200_000 + b"}"
    whole = server.with_length(len(body)) + body
    with closing(server.connect()) as connection:
        for piece in (whole[:40], whole[40:200], whole[200:50_000], whole[50_000:]):
            connection.sendall(piece)
            time.sleep(0.1)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_several_requests_on_one_connection_are_answered(server: Server) -> None:
    one = server.head("GET /ml/health") + b"\r\n"
    with closing(server.connect()) as connection:
        for _ in range(3):
            connection.sendall(one)
            time.sleep(0.2)
            found = connection.recv(1 << 16)
            assert found.startswith(b"HTTP/1.1 200")
            assert b'"UP"' in found


def test_clients_that_hang_up_harm_nobody(server: Server) -> None:
    body = b'{"tasks": [], "project": "1.1"}'
    whole = server.with_length(len(body)) + body
    for end in (10, len(whole) - 5, len(whole)):
        for _ in range(30):
            with closing(server.connect()) as connection:
                connection.sendall(whole[:end])
    server.is_well()


def test_a_flood_of_wrong_passwords_is_told_to_wait_and_keeps_nobody_else_waiting(server: Server) -> None:
    site = f"http://127.0.0.1:{server.port}"
    over, statuses = threading.Event(), Counter[int]()

    def guess() -> None:
        with requests.Session() as browser:
            page = browser.get(f"{site}/accounts/login/", timeout=20).text
            token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
            form = {"username": "nobody@x.org", "password": "wrong", "csrfmiddlewaretoken": token}
            while not over.is_set():
                answer = browser.post(f"{site}/accounts/login/", form, headers={"Referer": site}, timeout=20)
                statuses[answer.status_code] += 1

    threads = [threading.Thread(target=guess) for _ in range(30)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            time.sleep(0.2)
            server.is_well()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert statuses[200] <= TRIES_OF_AN_ACCOUNT
    assert statuses.keys() == {200, 429}
