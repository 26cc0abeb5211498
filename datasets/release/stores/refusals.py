"""What may go wrong between here and a store, each with what to do.

A store's own words are never repeated: they may hold secrets.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from datasets.errors import MaskloopError, RejectedInput, TryAgain

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_AGAIN = "What was sent stays there: run the same command again, and it goes on."


def unreachable() -> TryAgain:
    """The network, or the other side, does not answer."""
    return TryAgain("store-unreachable", "The store does not answer.", remedy=f"Check address and network. {_AGAIN}")


def busy() -> TryAgain:
    """The other side asks to come later, or failed inside."""
    return TryAgain("store-busy", "The store is too busy or failed inside.", remedy=_AGAIN)


def without_credentials() -> RejectedInput:
    """Nobody said who we are."""
    return RejectedInput(
        "store-credentials",
        "There are no credentials for the store, or it does not know them.",
        remedy="Set them in the environment or in the store's own configuration, as its manual says; never in the "
        "address.",
    )


def forbidden() -> RejectedInput:
    """Who we are may not do this."""
    return RejectedInput(
        "store-forbidden",
        "The store does not allow this with these credentials, or the folder may not be written.",
        remedy="Ask who runs it for the right to list, read and create files there; nothing is ever deleted.",
    )


def missing() -> RejectedInput:
    """There is no such bucket or host."""
    return RejectedInput(
        "store-missing",
        "There is no such bucket, host or folder.",
        remedy="Correct the address, or create the bucket with the store's own tools.",
    )


def full() -> TryAgain:
    """No room."""
    return TryAgain("store-full", "There is no room left where the files go.", remedy=f"Make room. {_AGAIN}")


def read_only() -> RejectedInput:
    """Nothing can be written there."""
    return RejectedInput(
        "store-read-only",
        "A web address can be read and not written.",
        remedy="Publish to the folder or bucket that the web server shows.",
    )


def not_exclusive() -> RejectedInput:
    """The store writes over what is there."""
    return RejectedInput(
        "store-not-exclusive",
        "The store cannot be told to write only what is not there yet, so that two publishers would write over each "
        "other.",
        remedy="Publish to a folder, to S3 or a server that knows its conditional writes, and copy the folder from "
        "there.",
    )


def too_large(path: str) -> RejectedInput:
    """A file that no single step takes."""
    return RejectedInput(
        "store-file-too-large",
        f"{path} is larger than the 5 GiB that S3 takes in one step.",
        remedy="Publish to a folder.",
    )


def file_differs(path: str) -> RejectedInput:
    """Something else is there than should be, or nothing."""
    return RejectedInput(
        "store-file-differs",
        f"{path} is missing there, or has other bytes than the release says.",
        remedy="Find out who wrote it. If it is left over from an upload that broke off, remove it there and run the "
        "command again.",
    )


def failed(error: Exception) -> TryAgain:
    """Whatever else a store's client says; only the kind of it is shown."""
    return TryAgain("store-failed", f"The store's client failed ({type(error).__name__}).", remedy=_AGAIN)


@contextmanager
def named_system_errors() -> Iterator[None]:
    """Refuses what the system says of files and networks by name; a file that is not there goes on as it is.

    Raises:
        MaskloopError: One of those above.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, MaskloopError):
        raise
    except (ConnectionError, TimeoutError) as error:
        raise unreachable() from error
    except OSError as error:
        raise _of_system(error) from error


def _of_system(error: OSError) -> MaskloopError:
    if error.errno in _FULL:
        return full()
    return forbidden() if error.errno in _FORBIDDEN or isinstance(error, PermissionError) else failed(error)
