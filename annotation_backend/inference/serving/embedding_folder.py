"""EmbeddingFolder: embeddings of slices as files, shared by all processes; the least recently used are removed.

A file is a mark of its format, the SHA-256 of what follows, and an array in NumPy's format (no pickles). One that is
damaged is removed and made anew: losing all of them costs time and nothing else.
"""

import io
import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
from django.conf import settings

from datasets.files import write_bytes
from training.segmenters.boxes.embedding_cache import Embedding, SliceKey

MARK = b"maskloop-embedding-1\n"
"""Format and version; a change of preprocessing needs another number."""

SUFFIX = ".embedding"

_HEADER = len(MARK) + 32
_SWEEP_SHARE = 20
"""A process checks the folder's size each time it has written 1/20 of the limit."""

_LEFT_BEHIND_SECONDS = 3600.0
"""A half-written file older than this was left by a process that died."""

_USED_AGAIN_SECONDS = 600.0
"""Time of use is updated at most this often."""

_NAME = re.compile(r"[0-9a-f]{64}")
_TARGET = re.compile(r"[a-z0-9]{1,16}")

logger = logging.getLogger(__name__)


class EmbeddingFolder:
    """The embeddings of one model (see `training.segmenters.boxes.embedding_cache.EmbeddingStore`).

    Args:
        root: Folder of all models' embeddings.
        model_digest: Digest of the model.
        limit: Bytes of all embeddings together; `MASKLOOP_EMBEDDINGS_GB` when None.
    """

    def __init__(self, root: Path, model_digest: str, *, limit: int | None = None) -> None:
        self._root = root
        self._folder = root / model_digest
        self._limit = int(settings.EMBEDDINGS_GB * 2**30) if limit is None else limit
        self._written = self._limit
        self._lock = threading.Lock()

    def __contains__(self, key: SliceKey) -> bool:
        path = self._path(key)
        return path is not None and path.exists()

    def get(self, key: SliceKey) -> Embedding | None:
        """The embedding; None if it is missing or damaged."""
        path = self._path(key)
        try:
            content = b"" if path is None else path.read_bytes()
        except OSError:
            return None
        if path is None:
            return None
        found = _decoded(content)
        if found is None:
            logger.warning("An embedding is damaged; the slice is embedded again")
            path.unlink(missing_ok=True)
        else:
            _note_use(path)
        return found

    def put(self, key: SliceKey, embedding: Embedding) -> None:
        """Stores an embedding; on a full or read-only disk it is not stored, which only costs time later."""
        path = self._path(key)
        if path is None or self._limit <= 0:
            return
        content = _encoded(embedding)
        try:
            write_bytes(path, content, is_one_of_many=True)
            self._make_room(len(content))
        except OSError as error:
            logger.warning("An embedding could not be stored (%s)", type(error).__name__)

    def _path(self, key: SliceKey) -> Path | None:
        """File of an embedding; None for keys that could lead out of the folder."""
        if not (_NAME.fullmatch(key.images) and _TARGET.fullmatch(key.target)):
            return None
        return self._folder / key.images / f"{key.target}-{int(key.axis)}-{int(key.index)}{SUFFIX}"

    def _make_room(self, written: int) -> None:
        with self._lock:
            self._written += written
            if self._written * _SWEEP_SHARE < self._limit:
                return
            self._written = 0
        sweep(self._root, limit=self._limit - self._limit // _SWEEP_SHARE)


def embeddings_folder() -> Path:
    """Folder of all models' embeddings."""
    return Path(settings.DATA_FOLDER) / "embeddings"


def sweep(root: Path, *, limit: int) -> int:
    """Removes the least recently used embeddings beyond `limit` bytes, and files that a dead process left half-written.

    Returns:
        How many files were removed. Several processes may sweep at once.
    """
    removed, kept = 0, 0
    for used, size, path in sorted(_files(root), reverse=True):
        is_left_behind = path.suffix != SUFFIX or path.name.startswith(".part-")
        kept += 0 if is_left_behind else size
        if (is_left_behind and time.time() - used > _LEFT_BEHIND_SECONDS) or (not is_left_behind and kept > limit):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _files(root: Path) -> Iterator[tuple[float, int, Path]]:
    """Time of use, size and path of every file; files that another process removes meanwhile are left out."""
    for path in root.rglob("*"):
        try:
            if path.is_file():
                found = path.stat()
                yield found.st_mtime, found.st_size, path
        except OSError:
            continue


def _note_use(path: Path) -> None:
    try:
        if time.time() - path.stat().st_mtime > _USED_AGAIN_SECONDS:
            os.utime(path)
    except OSError:
        return


def _encoded(embedding: Embedding) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(embedding, np.float16), allow_pickle=False)
    content = stream.getvalue()
    return MARK + sha256(content).digest() + content


def _decoded(content: bytes) -> Embedding | None:
    body = content[_HEADER:]
    if content[: len(MARK)] != MARK or content[len(MARK) : _HEADER] != sha256(body).digest():
        return None
    try:
        found = np.load(io.BytesIO(body), allow_pickle=False)
    except (ValueError, OSError, EOFError):
        return None
    return found if found.dtype == np.float16 else None
