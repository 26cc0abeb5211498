"""Whether two headers can be of one person: sex, date of birth and name, as digests that are only ever compared."""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from datasets.files import sha256_of_bytes

_NOBODY = frozenset({"anon", "anonym", "anonymous", "anonymized", "anonymised", "unknown", "patient", "name", "no"})
"""Placeholders for a name; they contradict no name."""


@dataclass(frozen=True)
class Person:
    """Digests of a patient's name, sex and birth date. Never to be stored or shown.

    Args:
        sex: Empty where the header does not say.
        birth_date: Empty where the header does not say.
        name: One digest a word, in no order; empty where the header does not say.
    """

    sex: str = field(default="", repr=False)
    birth_date: str = field(default="", repr=False)
    name: frozenset[str] = field(default=frozenset(), repr=False)

    def contradicts(self, other: "Person") -> bool:
        """Whether the two cannot be one person; a missing value contradicts nothing.

        A name of which the other has all words, and perhaps more, is the same name.
        """
        said_twice = ((self.sex, other.sex), (self.birth_date, other.birth_date))
        is_other_name = bool(self.name and other.name) and not (self.name <= other.name or other.name <= self.name)
        return is_other_name or any(one and two and one != two for one, two in said_twice)


@lru_cache(maxsize=1024)
def person_of(*, sex: str, birth_date: str, name: str) -> Person:
    """Digests of three header fields, each empty where absent.

    Case, accents, separators and the order of a name's words do not count (``Müller^Eva`` is ``MUELLER, EVA``).
    """
    words = _words(name)
    return Person(
        sex=_digest(sex.strip().upper()),
        birth_date=_digest(_date(birth_date)),
        name=frozenset() if words & _NOBODY else frozenset(map(_digest, words)),
    )


def _date(value: str) -> str:
    """A date's eight digits; empty where there is no such day."""
    digits = "".join(filter(str.isdigit, value))[:8]
    try:
        datetime.strptime(digits, "%Y%m%d")
    except ValueError:
        return ""
    return digits if len(digits) == 8 else ""


def _words(name: str) -> frozenset[str]:
    """A name's words without accents, in lower case, with ``ae`` as ``a`` and so on."""
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    bare = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return frozenset(re.sub(r"([aou])e", r"\1", bare).replace("_", " ").translate(_APART).split())


_APART = {ord(sign): " " for sign in "^=,;.:-/|()[]'\"`*\\"}


def _digest(value: str) -> str:
    return sha256_of_bytes(value.encode("utf-8", "replace")) if value else ""
