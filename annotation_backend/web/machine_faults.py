"""Faults of the machine, such as a busy database or a full disk, as an error with a message and a remedy."""

import errno

from django.db import DatabaseError, InterfaceError, OperationalError

from datasets.errors import TryAgain

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_WORDS = ("disk is full", "disk i/o error", "readonly database", "no space left", "unable to open database")
_BUSY_WORDS = ("is locked", "lock timeout", "deadlock")


def refusal_of(error: BaseException | None) -> TryAgain | None:
    """The error for people where the same request may succeed later.

    Args:
        error: Any exception, or none.

    Returns:
        None where it is a fault of ours.
    """
    if isinstance(error, TryAgain):
        return error
    if isinstance(error, OSError):
        return _full() if error.errno in _FULL else None
    if isinstance(error, OperationalError | InterfaceError):
        return _of_database(str(error).casefold())
    return refusal_of(error.__cause__) if isinstance(error, DatabaseError) else None


def _of_database(words: str) -> TryAgain:
    if any(word in words for word in _FULL_WORDS):
        return _full()
    if any(word in words for word in _BUSY_WORDS):
        return TryAgain(
            "database-busy",
            "The database is busy with something else.",
            remedy="Nothing was changed. Do the same again in a moment.",
        )
    return TryAgain(
        "database-down",
        "The database does not answer.",
        remedy="Is it running, and is DATABASE_URL in .env right? Do the same again then.",
    )


def _full() -> TryAgain:
    return TryAgain(
        "disk-full",
        "Nothing can be written: the disk is full or a folder is closed.",
        remedy="Make room for the data folder, then do the same again.",
    )
