"""A stand-in for Label Studio that answers our worker from memory: annotations of a flood, and tasks' data."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PATH = re.compile(r"/api/(annotations|tasks)/(\d+)/?(?:\?.*)?")


@contextmanager
def stand_in(
    port: int, *, annotations: Mapping[int, Mapping[str, Any]], tasks: dict[int, dict[str, Any]]
) -> Iterator[dict[int, dict[str, Any]]]:
    """Answers on 127.0.0.1 until the block ends.

    Args:
        port: Free.
        annotations: By id, as Label Studio has them.
        tasks: Data by id; a PATCH changes it.

    Yields:
        The tasks' data.
    """
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        """GET of annotations and tasks, PATCH of a task's data; anything else is missing."""

        def do_GET(self) -> None:
            """One annotation or task."""
            kind, number = self._asked()
            if kind == "annotations" and number in annotations:
                self._answer(200, annotations[number])
            elif kind == "tasks" and number in tasks:
                self._answer(200, {"id": number, "data": tasks[number]})
            else:
                self._answer(404, {"detail": "Not found."})

        def do_PATCH(self) -> None:
            """Takes a task's new data."""
            kind, number = self._asked()
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if kind != "tasks" or number not in tasks:
                self._answer(404, {"detail": "Not found."})
                return
            with lock:
                tasks[number] = body["data"]
            self._answer(200, {"id": number, "data": body["data"]})

        def log_message(self, *_args: Any) -> None:
            """Says nothing."""

        def _asked(self) -> tuple[str, int]:
            found = _PATH.fullmatch(self.path)
            return (found[1], int(found[2])) if found else ("", 0)

        def _answer(self, status: int, body: Mapping[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield tasks
    finally:
        server.shutdown()
        server.server_close()
