"""What people are told of a training that ends with an error."""

from collections.abc import Iterator
from contextlib import contextmanager

from annotation_backend.web.machine_faults import refusal_of
from datasets.errors import MaskloopError, RejectedInput


def told(error: Exception) -> str:
    """What a person is told of an error: of one that is not ours its kind alone, which names nobody and no place."""
    return str(error) if isinstance(error, MaskloopError) else f"{type(error).__name__}; see data/logs/trainer.log."


@contextmanager
def full_disk_named() -> Iterator[None]:
    """Names a full disk, whatever was written: a mask, folds, a package.

    Raises:
        RejectedInput: The disk is full (``fit-disk-full``), as where a checkpoint cannot be written.
    """
    try:
        yield
    except OSError as error:
        if refusal_of(error) is None:
            raise
        raise RejectedInput(
            "fit-disk-full",
            "The disk is full: the training stopped where a file could not be written.",
            remedy="Make room and start it again; it goes on from its last checkpoint.",
        ) from error
