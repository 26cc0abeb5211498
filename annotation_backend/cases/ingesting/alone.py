"""One ingest at a time in a study: two would draw the same codes, and each would take the other's cases for its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

from annotation_backend.studies.models import Study
from datasets.errors import TryAgain
from datasets.files import locked

_HELD: ContextVar[frozenset[int]] = ContextVar("_HELD", default=frozenset())
"""Keys of the studies whose place this thread holds: an import holds it before its ingest does."""


@contextmanager
def alone_in(study: Study) -> Iterator[None]:
    """Holds a study's place for an ingest until the block ends; the system gives it back when a process dies.

    Raises:
        TryAgain: Another ingest or import into this study is at work (``ingest-running``).
    """
    if study.pk in _HELD.get():
        yield
        return
    study.folder.mkdir(parents=True, exist_ok=True)
    place = study.folder / ".ingest.lock"
    place.touch(mode=0o600)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(place))
        except BlockingIOError as error:
            raise TryAgain(
                "ingest-running",
                "Another ingest or import into this study is at work.",
                remedy="Wait until it has ended, then run the command again: what came in by then is known.",
            ) from error
        token = _HELD.set(_HELD.get() | {study.pk})
        stack.callback(_HELD.reset, token)
        yield
