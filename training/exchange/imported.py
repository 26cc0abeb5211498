"""What comes of an import, and the check that foreign channels are the images named for them. No torch here."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from datasets.errors import RejectedInput
from datasets.study.image_kind import ImageKind, is_kind

UNKNOWN_CASES = (
    "Nothing says which cases the model learned from, so no figure of it can be known to be held-out. "
    "[learned-from-unknown]"
)

_OTHERS = re.compile(r"[^a-z0-9]+")
_WEIGHTED = re.compile(r"\b(t1|t2|pd)w\b")
_SAYS_NOTHING = ("", "image")
_SHOWN = 40


@dataclass(frozen=True)
class Imported:
    """A package that was made of a model from elsewhere.

    Args:
        digest: The package's.
        findings: What a person should know of it.
    """

    digest: str
    findings: tuple[str, ...] = ()


def channel_findings(called: Mapping[str, str], kinds: Sequence[str], *, code: str) -> list[str]:
    """Compares what a foreign model calls its channels with the kinds that a person named.

    Args:
        called: Names by the channel's number, such as ``{"0": "T2"}``; channels may lack.
        kinds: Of the images, in the order of the channels.
        code: Of refusal and finding.

    Returns:
        A finding for each channel whose name says nothing of the kind of its image.

    Raises:
        RejectedInput: A channel is called as another image than was named for it.
    """
    found = []
    for number, kind in enumerate(kinds):
        name = called.get(str(number), "")
        word = _word(name)
        if not is_kind(word):
            if word not in _SAYS_NOTHING:
                found.append(f"Channel {number}, which is called {name[:_SHOWN]!r}, is taken as {kind}. [{code}]")
        elif _is_another(word, kind) or (word != kind and word in kinds):
            raise RejectedInput(
                code,
                f"Channel {number} is called {name[:_SHOWN]!r}, and {kind} was named for it.",
                remedy=f"Name the kinds in the order of the channels: {', '.join(_listed(called))}.",
            )
    return found


def names_by_number(value: object) -> dict[str, str]:
    """The names of channels in a foreign document; those that are no text are left out."""
    pairs = value.items() if isinstance(value, Mapping) else ()
    return {str(number): name for number, name in pairs if isinstance(name, str)}


def _listed(called: Mapping[str, str]) -> Iterable[str]:
    return (f"{number} {name[:_SHOWN]}" for number, name in sorted(called.items(), key=lambda each: each[0].zfill(4)))


def _word(name: str) -> str:
    """A channel's name as the word of a kind would be: ``T2w`` is ``t2``."""
    return _WEIGHTED.sub(r"\1", _OTHERS.sub("-", name.lower()).strip("-"))


def _is_another(word: str, kind: str) -> bool:
    one, other = ImageKind.from_word(word), ImageKind.from_word(kind)
    if one.modality is not other.modality:
        return True
    return None not in (one.weighting, other.weighting) and one.weighting is not other.weighting
