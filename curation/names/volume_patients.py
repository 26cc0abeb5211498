"""Assigns each volume file's image to a patient, folder by folder, over all names of a scan together.

Names that differ are different people. A name without a person in it (``Post``, ``Raw``, ``SE``, ``W``) is ignored only
where that is certain: as soon as two such names would become one patient, the images are left out and a person is
asked.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from curation.names import former_keys
from curation.names.name_words import describes_a_sequence, describes_content, is_plane, may_be_a_visit
from curation.names.nifti_names import NiftiName
from curation.names.visit_names import possibly_same_patient
from datasets.finding import Finding, Level

_MOST_LISTED = 10


@dataclass(frozen=True)
class NamedVolume:
    """An image's place and name.

    Args:
        relative: Below the scanned folder. Never to be shown.
        number: Of the file.
        name: Its name, read.
    """

    relative: PurePath = field(repr=False)
    number: int
    name: NiftiName


@dataclass(frozen=True)
class VolumePatients:
    """The patients of the images.

    Args:
        keys: Number of a file to its patient's key, without files whose patient is unclear. Never to be shown.
        former: Key to the key of earlier versions, where that was another. Never to be shown.
        findings: The questions to ask.
    """

    keys: Mapping[int, str] = field(repr=False)
    former: Mapping[str, str] = field(repr=False)
    findings: tuple[Finding, ...]


def patients_of(
    images: Sequence[NamedVolume],
    *,
    root: str,
    datasets: Mapping[tuple[str, ...], str],
    table_patients: Collection[str],
    roles: Sequence[str],
) -> VolumePatients:
    """Assigns every image to a patient.

    Args:
        images: Those that no row of `cases.csv` names.
        root: Name of the scanned folder: the patient of files at its top whose names give none.
        datasets: Folder of a BIDS dataset to the name in its description.
        table_patients: Patients with a row in `cases.csv`: their names are patients' names, whatever they look like.
        roles: The protocol's images, of which `cases.csv` has columns.
    """
    groups: dict[str, list[NamedVolume]] = defaultdict(list)
    for image in images:
        groups[key_of(image.name, root=root, datasets=datasets)].append(image)
    shared = {image.relative.parent for image in images if image.name.prefix or _is_flat_subject(image)}
    keys: dict[int, str] = {}
    findings: list[Finding] = []
    for key, members in groups.items():
        own = _split(key, members, table_patients, shared)
        keys.update(own)
        asked = [image.number for image in members if image.number not in own]
        findings += [_question(asked, roles)] if asked else []
    for asked in _twins(keys):
        findings.append(_question(asked, roles))
        keys = {number: key for number, key in keys.items() if number not in asked}
    findings += [_perhaps_one(numbers) for numbers in _by_visits(images, keys)]
    former = {keys[image.number]: former_keys.key_of(image.relative) for image in images if image.number in keys}
    return VolumePatients(keys, {key: old for key, old in former.items() if key != old}, tuple(findings))


def key_of(name: NiftiName, *, root: str, datasets: Mapping[tuple[str, ...], str]) -> str:
    """The patient's key by one name alone: folder and prefix.

    A subject of BIDS goes by its dataset's name, because every dataset has a ``sub-01``. A file at the top whose name
    identifies no patient goes by the scanned folder's own, marked so that it meets no folder below.
    """
    top = f"./{root}"
    if name.bids is None:
        return name.patient_key or top
    title = datasets.get(name.bids.dataset, "")
    is_shared = sum(other == title for other in datasets.values()) > 1
    above = name.bids.dataset if is_shared or not title else ()
    return "/".join([*(above or (() if title else (top,))), *((title,) if title else ()), name.bids.subject])


def _split(
    key: str, members: Sequence[NamedVolume], table_patients: Collection[str], shared: Collection[PurePath]
) -> dict[int, str]:
    """The patients within one key: images in folders that identify no patient are kept apart, and are a question unless
    there is but one such folder."""
    places = {image.number: silent_place(image.name) for image in members}
    is_one = len(set(places.values())) == 1
    doubtful = _doubtful_words(members, shared)
    is_spelled_twice = len({image.name.spelled for image in members if image.name.prefix}) > 1
    found: dict[int, str] = {}
    for image in members:
        place = places[image.number]
        own = _own_key(key, place, is_nameless=not has_name(image.name), is_one=is_one)
        is_said = bool(place) and bool({own, own.rsplit("/", 1)[-1]} & set(table_patients))
        is_unclear = (bool(place) and not is_one) or (not image.name.prefix and image.name.initials in doubtful)
        is_unclear = is_unclear or (is_spelled_twice and bool(image.name.prefix))
        if is_said or not (is_unclear or (image.name.bids is not None and image.name.bids.is_contradictory)):
            found[image.number] = own
    return found


def _doubtful_words(members: Sequence[NamedVolume], shared: Collection[PurePath]) -> set[tuple[str, ...]]:
    """The initials in a group that would be one person's by all else, where they differ.

    In a folder of several patients, or without a folder's name, any may be somebody's. In a folder with a name of its
    own ``SE_T1`` and ``FS_T2`` are sequences; another word (``W_T2``, ``Raw_T2``, ``T2meier``) is a doubt.
    """
    plain = [image for image in members if not image.name.prefix]
    in_shared = {image.name.initials for image in plain if image.relative.parent in shared}
    named = {image.name.initials for image in plain if any(_names_among(each.name) for each in plain)}
    others = {image.name.initials for image in plain} - {()}
    nameless = all(not image.name.folders for image in plain)
    is_usual = is_plane if nameless else describes_a_sequence
    if all(is_usual(word) for words in others for word in words):
        others = set()
    return {words for found in (in_shared, named, others) if len(found) > 1 for words in found}


def _twins(keys: Mapping[int, str]) -> list[list[int]]:
    """Files of patients whose names look the same: apart by blanks at the end, or by how accents are written."""
    looks: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, key in keys.items():
        looks["/".join(part.strip() for part in unicodedata.normalize("NFC", key).split("/"))][key].append(number)
    return [[number for numbers in same.values() for number in numbers] for same in looks.values() if len(same) > 1]


def _by_visits(images: Iterable[NamedVolume], keys: Mapping[int, str]) -> Iterator[list[int]]:
    """The first file of each of the patients that differ by a visit's name alone; BIDS names visits itself."""
    first: dict[str, int] = {}
    for image in images:
        if image.name.bids is None and image.number in keys:
            first.setdefault(keys[image.number], image.number)
    for same in possibly_same_patient(first):
        yield [first[key] for key in same]


def _is_flat_subject(image: NamedVolume) -> bool:
    """Whether a subject of BIDS lies in no folder of its own."""
    return image.name.bids is not None and image.name.bids.subject not in image.relative.parts[:-1]


def has_name(name: NiftiName) -> bool:
    """Whether a folder or a prefix identifies the patient of a file."""
    return bool(name.folders or name.prefix)


def _own_key(key: str, place: tuple[str, ...], *, is_nameless: bool, is_one: bool) -> str:
    """The key of files in a folder that identifies no patient, by that folder where there is no other name."""
    if is_nameless and place:
        return "/".join(place)
    return key if is_one else "/".join([key, *place])


def silent_place(name: NiftiName) -> tuple[str, ...]:
    """The folders that neither identify the patient of an image nor, beyond doubt, describe it."""
    return tuple(folder for folder in name.passed if not describes_content(folder))


def _names_among(name: NiftiName) -> tuple[str, ...]:
    """Words such as ``t1meier``, a role and a person's name in one."""
    return () if name.prefix else tuple(word for word in name.initials if not may_be_a_visit(word))


def _perhaps_one(numbers: Sequence[int]) -> Finding:
    return Finding(
        Level.WARNING,
        "patients-perhaps-one",
        f"The names of {len(numbers)} patients differ by a visit or a date alone; each was taken for a patient of "
        "its own.",
        "Nothing, if they are different people; else exclude the cases of all visits but one, or name the files as BIDS"
        " does (sub-…_ses-…_T1w).",
        _listed(numbers),
    )


def _question(numbers: Iterable[int], roles: Sequence[str]) -> Finding:
    return Finding(
        Level.ERROR,
        "patient-unclear",
        "Names of folders or files do not tell whether these images are of one patient or of several; the images "
        "are left out.",
        "Give each patient one folder with a code of their own, or name the files in cases.csv "
        f"({', '.join(['patient_id', *roles])}).",
        _listed(numbers),
    )


def _listed(numbers: Iterable[int]) -> str:
    listed = [f"file {number}" for number in sorted(numbers)]
    more = f" and {len(listed) - _MOST_LISTED} others" if len(listed) > _MOST_LISTED else ""
    return ", ".join(listed[:_MOST_LISTED]) + more
