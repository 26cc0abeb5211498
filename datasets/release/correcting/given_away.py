"""Whether a version may still be given away and used: not where a tombstone lies beside it, here or in a store."""

from pathlib import Path

from datasets.errors import RejectedInput
from datasets.release.correcting.beside import Beside, beside


def require_nobody_withdrawn(folder: Path) -> None:
    """Refuses a version beside which a tombstone lies, whatever is in it: an unreadable one was put there by somebody.

    Args:
        folder: The release's folder.

    Raises:
        RejectedInput: ``release-withdrawn``.
    """
    if beside(folder.resolve(), Beside.TOMBSTONE).exists():
        raise release_withdrawn()


def release_withdrawn() -> RejectedInput:
    """The refusal of a version that holds withdrawn cases."""
    return RejectedInput(
        "release-withdrawn",
        "The release holds cases that were withdrawn, as the tombstone beside it says; nobody is to get or use it any "
        "more.",
        remedy="Take the next version.",
    )
