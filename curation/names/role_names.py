"""Which of a protocol's images a volume file's name means: by name or alias, or by common words and BIDS' suffixes.

A word of a weighting (``T1w``, ``flair``) or a modality (``ct``, ``pet``) means the one image of that kind; of several
(T1 before and after contrast agent) the words for contrast agent and fat suppression decide. A name that says two kinds
means none, and a person is asked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePath

from curation.names.description_words import read_words
from curation.names.name_words import is_between, may_identify_patient, stem, words
from datasets.study.protocol import ImageRole, Modality, Protocol, Wanted, Weighting

Kind = tuple[Modality, Weighting | None]
"""Modality, and weighting of an MR image."""

_COMMON: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ((Modality.MR, Weighting.T1), re.compile(r"t1[a-z]*")),
    ((Modality.MR, Weighting.T2), re.compile(r"t2[a-z]*|stir|tirm")),
    ((Modality.MR, Weighting.FLAIR), re.compile(r"(?:t2)?flair")),
    ((Modality.MR, Weighting.PROTON_DENSITY), re.compile(r"pdw?")),
    ((Modality.MR, Weighting.T2_STAR), re.compile(r"t2star")),
    ((Modality.CT, None), re.compile(r"ct")),
    ((Modality.PET, None), re.compile(r"pet|suv|pt")),
)
"""Words for kinds of images. Of two that match, the one that a protocol's image is of counts."""

_OTHER_IMAGES = {"ct": "CT", "pet": "PT", "suv": "PT"}
"""Words that no protocol without such an image takes for anything else; ``pt`` may be a patient."""

ROLE_WORD, PLAIN_WORD = "tirm", "img"
"""What the words of a protocol's images are read as where a name is searched for a patient: a word of a weighting, and
one that says nothing. Neither identifies anybody, in whatever study."""


@dataclass(frozen=True)
class _Hit:
    """A phrase of one image, found in a name.

    Args:
        role: The image's name.
        size: Of the phrase, in letters.
        places: Of its words.
    """

    role: str
    size: int
    places: frozenset[int]


class RoleNames:
    """The names by which files may mean the images and labels of one protocol.

    Attributes:
        first_label: The label that a mask holds whose name says none: the first that is prompted, or the first of all.
        label_words: Every word of the labels' names and of the names under which they are imported.
    """

    def __init__(self, protocol: Protocol) -> None:
        self._images = {image.name: image for image in protocol.images}
        self.first_label = next((one.name for one in protocol.labels if one.is_prompted), protocol.labels[0].name)
        names = [name for label in protocol.labels for name in (label.name, *label.imported_names)]
        self.label_words = frozenset(word for name in names for word in words(name))
        self._phrases = [
            (image.name, phrase) for image in protocol.images for phrase in dict.fromkeys(_phrases_of(image))
        ]
        self._kinds: Mapping[Kind, tuple[str, ...]] = {
            kind: tuple(image.name for image in protocol.images if _is_of(image, kind)) for kind, _ in _COMMON
        }

    def role_of(self, found: Sequence[str], *, described: str = "") -> str | None:
        """The image that words mean; None where they mean none, or several.

        Args:
            found: The words of a name.
            described: Words about the sequence, where these stand elsewhere.
        """
        found = _without_patients(found)
        hits = self._hits(found)
        kinds = self._kinds_in(found, hits)
        if len(kinds) != 1:
            return None
        return self._of_one_kind(self._kinds_or_hit(next(iter(kinds)), hits), hits, described or " ".join(found))

    def is_called(self, found: Sequence[str]) -> bool:
        """Whether words hold the very name or an alias of an image."""
        return bool(self._hits(_without_patients(found)))

    def modality_of(self, found: Sequence[str]) -> str:
        """The modality other than MR that a word says; empty where none does."""
        known = {**_OTHER_IMAGES, **({"pt": "PT"} if self._kinds[Modality.PET, None] else {})}
        return next((known[word] for word in _without_patients(found) if word in known), "")

    def other_image(self, found: Sequence[str], role: str | None) -> str:
        """What kind of image a word says that is none of the protocol's; empty where all words fit.

        Args:
            found: The words of a name.
            role: The image that they mean, or None.
        """
        modality = self.modality_of(found)
        if modality and not self._kinds[Modality(modality), None]:
            return modality
        unwanted = [(kind, pattern) for kind, pattern in _COMMON[:2] if not self._kinds[kind] and role is None]
        return next((str(kind[1]) for kind, pattern in unwanted if any(map(pattern.fullmatch, found))), "")

    def read_as(self, relative: PurePath) -> PurePath:
        """A path in which the words of the protocol's images are such as identify nobody."""
        folders = [self._read_folder(part) for part in relative.parts[:-1]]
        name = relative.name
        own = stem(name)
        return PurePath(*folders, self._read_as(own) + name[len(own) :])

    def described(self, role: str | None, found: Sequence[str], text: str) -> str:
        """A description that says what an image's name or alias means, where its words do not say it themselves."""
        if role is None or not self.is_called(found):
            return text
        said, image = read_words(text), self._images[role]
        words = [image.weighting.value] if image.weighting is not None and said.weighting is None else []
        words += ["contrast"] if image.contrast is Wanted.REQUIRE and not said.contrast else []
        return " ".join([*words, text]).strip()

    def words_of(self, role: str | None) -> str:
        """How a description names an image: its weighting, and a contrast agent where it needs one; may be empty."""
        return "" if role is None else self.described(role, words(role), "")

    def _read_folder(self, folder: str) -> str:
        """A folder's name as it is, unless all of it means an image: its other words may be a patient's."""
        read = self._read_as(folder)
        return read if not any(map(may_identify_patient, words(read))) else folder

    def _read_as(self, text: str) -> str:
        pieces = [("".join(signs), is_sign) for is_sign, signs in groupby(text, key=is_between)]
        found = [(place, words(piece)) for place, (piece, is_sign) in enumerate(pieces) if not is_sign]
        plain = _without_patients([one[0] if len(one) == 1 else "" for _, one in found])
        covered = {place for hit in self._hits(plain) for place in hit.places}
        covered |= {place for place, word in enumerate(plain) if any(self._common(word))}
        speaks = any(not may_identify_patient(plain[place]) for place in covered)
        for place in sorted(covered):
            if may_identify_patient(plain[place]):
                pieces[found[place][0]] = (PLAIN_WORD if speaks else ROLE_WORD, False)
                speaks = True
        return "".join(piece for piece, _ in pieces)

    def _common(self, word: str) -> Iterator[Kind]:
        return (kind for kind, pattern in _COMMON if self._kinds[kind] and pattern.fullmatch(word))

    def _hits(self, found: Sequence[str]) -> list[_Hit]:
        hits = [
            _Hit(role, sum(map(len, phrase)), frozenset(range(start, start + len(phrase))))
            for role, phrase in self._phrases
            for start in range(len(found) - len(phrase) + 1)
            if tuple(found[start : start + len(phrase)]) == phrase
        ]
        return [hit for hit in hits if not any(hit.places < other.places for other in hits)]

    def _kinds_in(self, found: Sequence[str], hits: Sequence[_Hit]) -> set[Kind]:
        """The kinds of images that words say. A T2 FLAIR is a FLAIR, a T2* no T2."""
        covered = {place for hit in hits for place in hit.places}
        kinds = {_kind_of(self._images[hit.role]) for hit in hits}
        for place, word in enumerate(found):
            if place not in covered:
                named = list(self._common(word))
                kinds |= set(named[-1:])
        if (Modality.MR, Weighting.FLAIR) in kinds:
            kinds.discard((Modality.MR, Weighting.T2))
        return kinds

    def _kinds_or_hit(self, kind: Kind, hits: Sequence[_Hit]) -> tuple[str, ...]:
        return self._kinds.get(kind) or tuple(dict.fromkeys(hit.role for hit in hits))

    def _of_one_kind(self, roles: Sequence[str], hits: Sequence[_Hit], described: str) -> str | None:
        longest = max((hit.size for hit in hits), default=0)
        called = {hit.role for hit in hits if hit.size == longest}
        fitting = [role for role in roles if self._fits(self._images[role], role in called, described)]
        if len(called) == 1 and (len(roles) == 1 or not fitting or called <= set(fitting)):
            return called.pop()
        if len(roles) == 1 and self._images[roles[0]].contrast is not Wanted.REQUIRE:
            return roles[0]
        return fitting[0] if len(fitting) == 1 else None

    def _fits(self, image: ImageRole, is_called: bool, described: str) -> bool:
        """Whether words about contrast agent and fat suppression are such as the protocol wants of an image."""
        said = read_words(described)
        return not (
            (said.contrast and image.contrast is Wanted.REFUSE)
            or (not said.contrast and image.contrast is Wanted.REQUIRE and not is_called)
            or (said.fat_suppressed and image.fat_suppression is Wanted.REFUSE)
            or (not said.fat_suppressed and image.fat_suppression is Wanted.REQUIRE and not is_called)
        )


def _without_patients(found: Sequence[str]) -> list[str]:
    """Words without a ``pt`` before a number, which is a patient and no PET."""
    numbered = {place for place, after in enumerate(found[1:]) if after.isdigit()}
    return ["" if word == "pt" and place in numbered else word for place, word in enumerate(found)]


def _phrases_of(image: ImageRole) -> Iterator[tuple[str, ...]]:
    for text in (image.name, *image.aliases):
        phrase = tuple(words(text))
        yield phrase
        yield ("".join(phrase),)


def _kind_of(image: ImageRole) -> Kind:
    return image.modality, image.weighting if image.modality is Modality.MR else None


def _is_of(image: ImageRole, kind: Kind) -> bool:
    return _kind_of(image) == kind
