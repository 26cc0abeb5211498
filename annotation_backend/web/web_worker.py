"""The web service's worker: gunicorn's threads, which are given to requests that are there, not to those that drip in.

A thread of gunicorn's reads a request as slowly as it comes, so that a few clients who send a letter a second keep all
threads from everybody else. Here a connection waits beside the threads until the head of its request and the beginning
of its body lie in the socket's buffer, which holds all of a form. After `PATIENCE_SECONDS` the client is cut off.
"""

import os
import select
import selectors
import socket
import struct
import time
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker  # type: ignore[import-untyped]

PATIENCE_SECONDS = 10
"""Longest wait for a request's head and the beginning of its body, and for any further part of the body."""

TAKING_SECONDS = 60
"""Longest wait for a client to take the next part; a download that stood still for longer goes on with a range."""

_LARGEST_PEEK = 32 * 1024
"""Bytes that every socket's buffer holds; a longer body is read by a thread, with `PATIENCE_SECONDS` for each part."""

LARGEST_BODY = "LARGEST_REQUEST_BYTES"
"""Variable of the environment with another limit than our web service's: Label Studio's takes larger requests."""

_LARGEST_BODY = int(os.environ.get(LARGEST_BODY, 64 * 1024 * 1024))
"""As the settings' DATA_UPLOAD_MAX_MEMORY_SIZE; nothing of a larger one is read."""

_TOO_LARGE = (
    b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\nContent-Length: 69\r\n\r\n"
    b'{"error": "The request is too large.", "code": "request-too-large"}\r\n'
)

_LOOK_SECONDS = 0.005
_HEAD_ENDS = b"\r\n\r\n"


class PatientWorker(ThreadWorker):
    """Gives a connection to a thread when its request has come."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._silent: dict[TConn, float] = {}
        self._dripping: dict[TConn, float] = {}

    def enqueue_req(self, conn: TConn) -> None:
        """Hands a connection over now, or when its request is there."""
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", PATIENCE_SECONDS, 0))
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", TAKING_SECONDS, 0))
        if is_there(conn):
            self._hand_over(conn)
        else:
            self._silent[conn] = time.monotonic() + PATIENCE_SECONDS
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._begins, conn))

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """One round of the worker's loop, a short one while requests drip in."""
        super().wait_for_and_dispatch_events(_LOOK_SECONDS if self._dripping else timeout)
        for conn in [conn for conn in self._dripping if is_there(conn)]:
            del self._dripping[conn]
            self._hand_over(conn)
        now = time.monotonic() + (0 if self.alive else PATIENCE_SECONDS - STOP_KEEPALIVE_LINGER)
        for conn in [conn for conn, until in self._silent.items() if until < now]:
            self.poller.unregister(conn.sock)
            self._cut_off(conn, self._silent)
        for conn in [conn for conn, until in self._dripping.items() if until < now]:
            self._cut_off(conn, self._dripping)

    def _begins(self, conn: TConn, _socket: object) -> None:
        self.poller.unregister(conn.sock)
        until = self._silent.pop(conn)
        if is_there(conn):
            self._hand_over(conn)
        else:
            self._dripping[conn] = until

    def _hand_over(self, conn: TConn) -> None:
        if _is_too_large(conn):
            with suppress(OSError):
                conn.sock.send(_TOO_LARGE)
                conn.sock.recv(_LARGEST_PEEK, socket.MSG_DONTWAIT)  # what lies unread would take the answer back
            self.nr_conns -= 1
            conn.close()
            return
        conn.data_ready = True
        super().enqueue_req(conn)

    def _cut_off(self, conn: TConn, among: dict[TConn, float]) -> None:
        del among[conn]
        self.nr_conns -= 1
        conn.close()


def is_there(conn: TConn) -> bool:
    """Whether a request's head and the beginning of its body have come, or nothing more will."""
    if conn.parser is not None and conn.parser.unreader.buf.getvalue():
        return True
    try:
        start = _start(conn)
    except BlockingIOError:
        return False
    except OSError:
        return True
    if not start or len(start) == _LARGEST_PEEK or _has_hung_up(conn.sock):
        return True
    head, end, body = start.partition(_HEAD_ENDS)
    declared = _declared(head)
    return bool(end) and (declared > _LARGEST_BODY or len(body) >= min(declared, _LARGEST_PEEK - len(head) - len(end)))


def _has_hung_up(connection: socket.socket) -> bool:
    """Whether nothing follows what lies in the buffer."""
    poller = select.poll()
    poller.register(connection, select.POLLRDHUP)
    return bool(poller.poll(0))


def _is_too_large(conn: TConn) -> bool:
    try:
        return _declared(_start(conn).partition(_HEAD_ENDS)[0]) > _LARGEST_BODY
    except OSError:
        return False


def _start(conn: TConn) -> bytes:
    """The bytes that have come so far; they stay in the socket's buffer."""
    return bytes(conn.sock.recv(_LARGEST_PEEK, socket.MSG_PEEK | socket.MSG_DONTWAIT))


def _declared(head: bytes) -> int:
    """The length that a head gives its body; 0 where it gives none, or one that gunicorn will refuse."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value) if value.strip().isdigit() and len(value) < 20 else 0
    return 0
