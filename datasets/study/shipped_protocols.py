"""The protocols that come along: designs of published studies, to be used as they are or to begin one's own with."""

from functools import cache
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.study.protocol import Protocol
from datasets.study.protocol_document import read_protocol

FIRST = "mstt-199"
"""The protocol of an installation of which nobody said another, and of those made before there were protocols."""

_FOLDER = Path(__file__).parent / "protocols"


def shipped_names() -> tuple[str, ...]:
    """Names of the protocols that come along."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def shipped_text(name: str) -> str:
    """The document of a protocol that comes along.

    Raises:
        RejectedInput: None has the name (``protocol-unknown``).
    """
    if name not in shipped_names():
        raise RejectedInput(
            "protocol-unknown",
            "No protocol that comes along has this name, and there is no such file.",
            remedy=f"Give one of {', '.join(shipped_names())}, or the path of a document.",
        )
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")


@cache
def shipped_protocol(name: str) -> Protocol:
    """A protocol that comes along.

    Raises:
        RejectedInput: None has the name (``protocol-unknown``).
    """
    return read_protocol(shipped_text(name))


def protocol_text(name_or_path: str) -> str:
    """The document that a person named: one that comes along, or a file.

    Raises:
        RejectedInput: There is neither (``protocol-unknown``), or the file is no UTF-8 text (``protocol-encoding``).
    """
    path = Path(name_or_path)
    if name_or_path in shipped_names() or not path.is_file():
        return shipped_text(name_or_path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RejectedInput(
            "protocol-encoding", "The document is no UTF-8 text.", remedy="Save it as UTF-8."
        ) from error
