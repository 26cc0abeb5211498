"""A server in Label Studio's place that answers as a broken one does."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SOUND = b"[]"


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the server's fault."""

    server: "BadLabelStudio"

    def do_GET(self) -> None:
        with suppress(OSError):
            self.server.fault(self)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 (names that the server looks for)

    def send(self, status: int, content: bytes, *headers: tuple[str, str], length: int | None = None) -> None:
        """A whole answer, or one whose head lies about its length."""
        self.send_response(status)
        for name, value in (("Content-Length", str(len(content) if length is None else length)), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_words: object) -> None:
        """Silence."""


class BadLabelStudio(ThreadingHTTPServer):
    """Its `fault` may be changed while it runs."""

    daemon_threads = True
    fault: Callable[[Handler], None]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def bad_label_studio(fault: Callable[[Handler], None]) -> Iterator[BadLabelStudio]:
    """Runs one until the block ends."""
    server = BadLabelStudio(("127.0.0.1", 0), Handler)
    server.fault = fault
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def _cut(handler: Handler) -> None:
    handler.send(200, SOUND, length=len(SOUND) + 500)
    handler.close_connection = True


def _drip(handler: Handler) -> None:
    handler.send(200, b"[", length=1000)
    for _ in range(100):
        handler.wfile.write(b" ")
        time.sleep(0.1)


def _chunks(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"zz\r\n[]\r\n")
    handler.close_connection = True


FAULTS: dict[str, tuple[Callable[[Handler], None], str]] = {
    "half a body": (_cut, "label-studio-answer"),
    "broken chunks": (_chunks, "label-studio-answer"),
    "a page": (lambda h: h.send(200, b"<html>Closed</html>", ("Content-Type", "text/html")), "label-studio-answer"),
    "broken gzip": (lambda h: h.send(200, b"abcd", ("Content-Encoding", "gzip")), "label-studio-answer"),
    "no text": (lambda h: h.send(200, b"\xff\xfe\x00{"), "label-studio-answer"),
    "half of JSON": (lambda h: h.send(200, b'{"tasks": [{"id"'), "label-studio-answer"),
    "brackets without end": (lambda h: h.send(200, b"[" * 200_000), "label-studio-answer"),
    "a redirect": (lambda h: h.send(302, b"", ("Location", h.path)), "label-studio-redirect"),
    "a redirect elsewhere": (lambda h: h.send(307, b"", ("Location", "https://example.org/")), "label-studio-redirect"),
    "status 500": (lambda h: h.send(500, b"{}"), "label-studio-error"),
    "status 429": (lambda h: h.send(429, b"{}"), "label-studio-error"),
    "status 503 with a page": (lambda h: h.send(503, b"<html>"), "label-studio-error"),
    "status 418": (lambda h: h.send(418, b"{}"), "label-studio-request"),
    "a connection that ends": (lambda h: h.connection.close(), "label-studio-down"),
    "no HTTP": (lambda h: h.wfile.write(b"SSH-2.0-OpenSSH\r\n"), "label-studio-down"),
}  # fmt: skip
"""What it does, and the code with which we name that."""

SHAPES: dict[str, object] = {
    "nothing": None,
    "another object": {"detail": "x"},
    "a number": 3,
    "a list of numbers": [1, 2],
    "null in all places": {"tasks": None, "total": None, "results": None},
    "rows without numbers": [{"id": None, "email": None, "url": None, "data": None}],
    "a task without number": {"tasks": [{"id": None, "annotations": [{"id": None}]}], "total": None, "results": [{}]},
    "numbers as words": {"tasks": [{"id": "1"}], "total": "1", "results": [{"id": "1"}]},
}
"""JSON in other shapes than it should have."""


def answering(answer: object) -> Callable[[Handler], None]:
    """A fault that is sound JSON; nothing at all for None."""
    return lambda handler: handler.send(200, b"" if answer is None else json.dumps(answer).encode())
