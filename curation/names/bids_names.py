"""Names after the Brain Imaging Data Structure: ``sub-01/ses-2/anat/sub-01_ses-2_acq-fatsat_run-1_T2w.nii.gz``.

A name is made of entities, key and label joined by a dash. Only ``acq``, ``ce``, ``rec`` and the suffix describe the
sequence: a subject's or a session's label never does. Under ``derivatives/`` the same subjects
come back, with masks of the raw images.

Source: BIDS 1.10, "Common principles: Filesystem structure", "Derivatives: Imaging data types".
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from curation.names.name_words import names_a_weighting, stem, words

DESCRIPTION_NAME = "dataset_description.json"

_DERIVATIVES = "derivatives"
_BESIDE_DERIVATIVES = frozenset({"rawdata", "sourcedata"})
_SUBJECT = re.compile(r"sub-([^_/]+)")
_SESSION = re.compile(r"ses-([^_/]+)")
_ENTITY = re.compile(r"([A-Za-z]+)-(.+)")
_OF_DERIVATIVES = frozenset(
    {"sub", "space", "label", "desc", "res", "den", "hemi", "seg", "lesion", "mask", "from", "to"}
)
_DESCRIBES = ("acq", "ce", "rec")
_NONE = frozenset({"none", "no", "0", "without"})
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class BidsName:
    """Subject, session and sequence by the path of one file.

    Args:
        dataset: Folders down to the dataset of raw images. Never to be shown.
        subject: ``sub-01``. Never to be shown.
        entities: Key to label, in the order of the name. Never to be shown.
        plain: Parts without a dash, the suffix among them: ``T2w``, ``mask``.
        is_derived: Whether it lies under ``derivatives/``.
        is_contradictory: Whether folders and name give two subjects or sessions.
    """

    dataset: tuple[str, ...] = field(repr=False)
    subject: str = field(repr=False)
    entities: Mapping[str, str] = field(repr=False)
    plain: tuple[str, ...]
    is_derived: bool
    is_contradictory: bool

    @property
    def session(self) -> str:
        """The visit; empty where the name has none."""
        return self.entities.get("ses", "")

    @property
    def made_by(self) -> dict[str, str]:
        """The entities that tell one image of a subject from another, masks of it included."""
        return {key: label for key, label in self.entities.items() if key not in _OF_DERIVATIVES}

    @property
    def description(self) -> str:
        """The parts that describe the sequence, for the rules that read descriptions."""
        said = [(key, self.entities[key]) for key in _DESCRIBES if self.entities.get(key, "none").lower() not in _NONE]
        return " ".join([*(f"ce {label}" if key == "ce" else label for key, label in said), *self.plain[-1:]])

    @property
    def drawn_on(self) -> list[str]:
        """Words that name the image of a mask: its space, or parts without a dash."""
        return words(" ".join([self.entities.get("space", ""), *self.plain]))


def read_bids_name(relative: PurePath) -> BidsName | None:
    """Reads a path below the scanned folder; None where the file's name does not begin with a subject."""
    first, *parts = stem(relative.name).split("_")
    matched = _SUBJECT.fullmatch(first)
    if matched is None or names_a_weighting(words(matched[1])):
        return None
    found = [(part, _ENTITY.fullmatch(part)) for part in parts]
    folders = relative.parts[:-1]
    pairs = [(entity[1], entity[2]) for _, entity in found if entity is not None]
    above = [part for part in folders if _SUBJECT.fullmatch(part)]
    sessions = {label[1] for part in folders if (label := _SESSION.fullmatch(part))}
    named = {label for key, label in pairs if key == "ses"}
    return BidsName(
        dataset=_raw_dataset(folders[: folders.index(above[0])] if above else folders),
        subject=first,
        entities=dict([*(("ses", label) for label in sorted(sessions)), *pairs]),
        plain=tuple(part for part, entity in found if entity is None),
        is_derived=_DERIVATIVES in map(str.lower, folders),
        is_contradictory=any(part != first for part in above) or len(sessions | named) > 1,
    )


def contradict(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two names cannot be of one image: an entity of both with two labels."""
    return any(other.get(key, label) != label for key, label in one.items())


def dataset_name(folder: Path, dataset: tuple[str, ...]) -> str:
    """The name in a dataset's description, which tells its ``sub-01`` from another's; empty where there is none."""
    for inner in ("", "rawdata"):
        path = folder.joinpath(*dataset, inner, DESCRIPTION_NAME)
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _MOST_BYTES:
            name = _name_in(path)
            if name:
                return name
    return ""


def _name_in(path: Path) -> str:
    """A description that cannot be read gives no name: subjects then go by their folder."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return ""
    name = document.get("Name") if isinstance(document, dict) else None
    return name.strip() if isinstance(name, str) else ""


def _raw_dataset(folders: tuple[str, ...]) -> tuple[str, ...]:
    plain = tuple(map(str.lower, folders))
    raw = folders[: plain.index(_DERIVATIVES)] if _DERIVATIVES in plain else folders
    return raw[:-1] if raw and raw[-1].lower() in _BESIDE_DERIVATIVES else raw
