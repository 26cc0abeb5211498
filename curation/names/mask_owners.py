"""Assigns mask files to patients: to the one whose images lie in the same folder, or whom the mask's name gives.

A mask whose patient is unclear is left out with a finding, and makes no patient of its own.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from curation.names.name_words import may_be_patients_folder, may_name_owner, words
from curation.names.nifti_names import NiftiName
from datasets.finding import Finding, Level

UNCLEAR = "\0"
"""Patient key of images whose patient is unclear: masks in their folders are left out."""


@dataclass(frozen=True)
class PlacedImage:
    """An image's folder and patient.

    Args:
        folder: Below the scanned folder. Never to be shown.
        patient_key: The patient's; `UNCLEAR` where that is a question. Never to be shown.
        prefix: The words of file names that tell the patient from others of the folder. Never to be shown.
        spelled: Those words as written. Never to be shown.
    """

    folder: PurePath = field(repr=False)
    patient_key: str = field(repr=False)
    prefix: tuple[str, ...] = field(default=(), repr=False)
    spelled: tuple[str, ...] = field(default=(), repr=False)


class MaskOwners:
    """The patients whose images lie in and below every folder.

    Args:
        images: All images, of every format.
    """

    def __init__(self, images: Iterable[PlacedImage]) -> None:
        self._held: dict[PurePath, set[str]] = defaultdict(set)
        self._prefixes: dict[str, tuple[str, ...]] = {}
        self._spelled: dict[str, tuple[str, ...]] = {}
        for image in images:
            for folder in (image.folder, *image.folder.parents):
                self._held[folder].add(image.patient_key)
            if image.prefix:
                self._prefixes[image.patient_key] = image.prefix
                self._spelled[image.patient_key] = image.spelled
        self._names: dict[str, set[str]] = defaultdict(set)
        for key in self._held.get(PurePath(), set()) - {UNCLEAR}:
            self._names[_as_name(key.rsplit("/", 1)[-1])].add(key)
        for folder, keys in self._held.items():
            if folder.parts and len(keys) == 1 and may_be_patients_folder(folder.name):
                self._names[_as_name(folder.name)] |= keys - {UNCLEAR}

    def owner_of(self, relative: PurePath, name: NiftiName, named_key: str) -> str:
        """The patient's key; empty where the mask's patient is unclear.

        Args:
            relative: The mask's path below the scanned folder.
            name: Its name, read.
            named_key: The key that an image of this name would have.
        """
        if name.bids is not None:
            return named_key if named_key in self._all and not name.bids.is_contradictory else ""
        holder = next((folder for folder in relative.parents if self._held.get(folder)), PurePath())
        held = self._held.get(holder, set())
        only = next(iter(held)) if len(held) == 1 else UNCLEAR
        if only != UNCLEAR and self._may_own(only, holder, relative, name):
            return only
        below = relative.parent.parts[len(holder.parts) :]
        return self._named(below, name, held - {UNCLEAR}, named_key)

    @property
    def _all(self) -> set[str]:
        return self._held.get(PurePath(), set())

    def _may_own(self, key: str, holder: PurePath, relative: PurePath, name: NiftiName) -> bool:
        """Whether nothing in the mask's path names another patient than the one of its folder."""
        below = relative.parent.parts[len(holder.parts) :]
        if any(may_be_patients_folder(part) and self._is_another(part, key) for part in below):
            return False
        prefix = self._prefixes.get(key, ())
        if not prefix or (holder.parts and prefix == tuple(words(holder.parts[-1]))):
            return not self._is_of_another(name, key)
        return not name.owner_words or (name.prefix[: len(prefix)] == prefix and self._is_spelled(name, key))

    def _is_another(self, folder: str, key: str) -> bool:
        """Whether a folder inside the patient's may name another patient, not a reader or a version."""
        found = words(folder)
        is_own = _as_name(folder) == _as_name(key.rsplit("/", 1)[-1])
        return not is_own and (not found or any(map(may_name_owner, found)))

    def _is_of_another(self, name: NiftiName, key: str) -> bool:
        others = self._names.get("_".join(name.prefix), set()) | self._names.get("_".join(name.owner_words), set())
        return bool(name.prefix) and bool(others) and key not in others

    def _named(self, below: tuple[str, ...], name: NiftiName, held: set[str], named_key: str) -> str:
        """The patient, of several, that the mask's key, one of its folders or the beginning of its name gives."""
        if named_key in held:
            return self._spelled_so(name, held, named_key)
        by_folder = set().union(*(self._names.get(_as_name(part), set()) for part in below)) & held
        if len(by_folder) == 1 and not (name.owner_words and self._is_of_another(name, next(iter(by_folder)))):
            return next(iter(by_folder))
        return self._beginning(name, by_folder or held)

    def _spelled_so(self, name: NiftiName, held: set[str], named_key: str) -> str:
        """The patient of a key; of several whose names have the same words, the one that is written like the mask's.

        Empty where ``A_seg_1`` may be the first of A's masks or the mask of A_1, and both are there.
        """
        above = named_key.rpartition("/")[0]
        beside = {key for key in held if key.rpartition("/")[0] == above}
        alike = {key for key in beside if _as_name(key) == _as_name(named_key)}
        if len(alike) > 1:
            written = {key for key in alike if self._spelled.get(key, (key.rpartition("/")[2],)) == name.spelled}
            return written.pop() if len(written) == 1 else ""
        begun = _as_name("/".join(filter(None, [above, name.spelled[0]]))) if len(name.spelled) > 1 else ""
        is_clear = self._is_spelled(name, named_key) and begun not in {_as_name(key) for key in beside - {named_key}}
        return named_key if is_clear else ""

    def _is_spelled(self, name: NiftiName, key: str) -> bool:
        """Whether a mask's name begins as the patient's files' do, whatever the capitals: ``A+_seg`` is not A's."""
        begun, wanted = (_plainly("_".join([*each, ""])) for each in (name.spelled, self._spelled.get(key, ())))
        return key not in self._spelled or begun.startswith(wanted)

    def _beginning(self, name: NiftiName, keys: set[str]) -> str:
        """The patient whose code, or folder, the mask's name begins with, the longest; the rest may name the reader or
        the version. Empty where several fit."""
        for length in range(len(name.prefix), 0, -1):
            code, rest = name.prefix[:length], name.prefix[length:]
            found = {key for key in keys if self._prefixes.get(key) == code} | (
                self._names.get("_".join(code), set()) & keys
            )
            if found:
                is_clear = len(found) == 1 and not any(map(_may_be_code, rest))
                return next((key for key in found if self._is_spelled(name, key)), "") if is_clear else ""
        return ""


def unowned_mask(number: int, roles: Sequence[str]) -> Finding:
    """The finding that a mask's patient is unclear.

    Args:
        number: Of its file.
        roles: The protocol's images, of which `cases.csv` has columns.
    """
    columns = " or ".join(f"mask_{role}" for role in roles)
    return Finding(
        Level.ERROR,
        "mask-of-nobody",
        "The mask's patient is unknown: it lies beside no single patient's images and is named like none; it is "
        "left out.",
        f"Put it into its patient's folder, or name it in cases.csv (patient_id, {columns}).",
        f"file {number}",
    )


def _may_be_code(word: str) -> bool:
    """Whether a word behind a code may be a part of another patient's code; a bare number may."""
    return may_name_owner(word) or word.isdigit()


def _plainly(text: str) -> str:
    """Without capitals, and the usual signs alike."""
    return re.sub(r"[ _.,-]+", "_", unicodedata.normalize("NFC", text).casefold())


def _as_name(text: str) -> str:
    return "_".join(words(text)) or text
