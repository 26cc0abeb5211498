"""Reads patient, role and mask or image from the name of a NIfTI, NRRD or MetaImage file.

The rule: a name is cut into words at every sign that is no letter, digit or symbol of some script. A word that begins
with ``t1`` or ``t2`` gives the role (``t1``, ``T1w``, ``t2fs``), ``stir`` and ``tirm`` mean T2, and so do the names
and aliases of the protocol's images (`curation.names.role_names`). A word that begins with ``mask``, ``seg``,
``label`` or ``roi``, or is ``gtv``, makes it a mask. ``ct``, ``pet`` and ``suv`` say that it is no MRI. Common words
(``MR``, ``image``, ``axial``, ``manual``...) are ignored. The words left over are the prefix that the files of one
patient share. The patient is the folder together with that prefix. A folder whose name holds such words only (``t1/``,
``images/``, ``labelsTr/``) is no patient's: its parent is taken, and it gives role or mask for a file whose own name
does not. So these are pairs:

    STS_001/MR_T1_image.nii.gz    STS_001/MR_T2_image.nii.gz    (mask: STS_001/MR_T1_mask.nii.gz)
    images/case7_t1.nii.gz        images/case7_t2_fs.nii.gz     (mask: labels/case7_t2_seg.nii.gz)
    case7/t1/t1w.nii.gz           case7/t2/t2w.nii.gz

Names that begin with ``sub-`` are BIDS's (`curation.names.bids_names`). `curation.names.volume_patients` looks at all
names of a folder together and asks a person where one alone is ambiguous.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from curation.names import name_words
from curation.names.bids_names import BidsName, read_bids_name
from curation.names.description_words import read_words
from curation.names.name_spelling import spelling
from curation.names.name_words import (
    MASK_WORD,
    OTHER_PART,
    REGION_WORD,
    may_identify_patient,
    may_name_owner,
    names_a_weighting,
    words,
)
from curation.names.role_names import RoleNames

_SUFFIX = re.compile(r"t[12]w?|flair|pdw?|ct|pet")
"""BIDS' suffixes of images."""

_VISIT = re.compile(r"(?<![^_])ses-[^_]+", re.IGNORECASE)
"""A visit's name describes no sequence: ``ses-post`` is no contrast agent."""


@dataclass(frozen=True)
class NiftiName:
    """Patient, role and kind of a file by its name.

    Args:
        patient_key: Folder and prefix that the files of one patient share. Never to be stored or shown.
        role: The protocol's image; None where the name does not say.
        is_mask: Whether the name says mask.
        modality: DICOM's word for another modality than MR; empty where the name says none.
        region: Name of the region for a mask; the protocol's first label that is prompted where the name does not say.
        words: Its words about the sequence, for the rules that look for fat suppression and the like. Never to be
            shown.
        folders: The folders that may be a patient's. Never to be shown.
        passed: The folders below them, whose names identify no patient. Never to be shown.
        prefix: The words of the file's own name that may identify a patient. Never to be shown.
        spelled: Those words as written, in pieces. Never to be shown.
        initials: Words outside the key that may still be initials or a visit. Never to be shown.
        owner_words: The words of a mask's name that may identify the patient. Never to be shown.
        has_region: Whether the name itself says the region.
        other_image: What kind of image the name says that is none of the protocol's; empty where it says none.
        bids: Its entities by BIDS; None where it is no BIDS name.
    """

    patient_key: str = field(repr=False)
    role: str | None
    is_mask: bool
    modality: str
    region: str
    words: str = field(repr=False)
    folders: tuple[str, ...] = field(default=(), repr=False)
    passed: tuple[str, ...] = field(default=(), repr=False)
    prefix: tuple[str, ...] = field(default=(), repr=False)
    spelled: tuple[str, ...] = field(default=(), repr=False)
    initials: tuple[str, ...] = field(default=(), repr=False)
    owner_words: tuple[str, ...] = field(default=(), repr=False)
    has_region: bool = False
    bids: BidsName | None = field(default=None, repr=False)
    other_image: str = ""

    @property
    def made_by(self) -> Mapping[str, str]:
        """BIDS's entities that tell one image of a subject from another. Never to be shown."""
        return self.bids.made_by if self.bids else {}


def read_name(relative: PurePath, roles: RoleNames) -> NiftiName:
    """Reads the name of a file.

    Args:
        relative: Its path below the scanned folder.
        roles: The names of the protocol's images and labels.
    """
    bids = read_bids_name(relative)
    return _plain_name(relative, roles) if bids is None else _bids_name(relative, bids, roles)


def _plain_name(relative: PurePath, roles: RoleNames) -> NiftiName:
    read = roles.read_as(relative)
    own_name, read_stem = name_words.stem(relative.name), name_words.stem(read.name)
    found, said = words(own_name), words(read_stem)
    split = name_words.camel_words(own_name)
    own, passed = _split_folders(read)
    own = list(relative.parts[: len(own)])
    shared = [word for folder in reversed(relative.parent.parts[len(own) :]) for word in words(folder)]
    prefix = tuple(word for word in said if may_identify_patient(word))
    region = [word for word in split if REGION_WORD.match(word) or word in roles.label_words]
    region = region or [word for word in split if OTHER_PART.match(word)]
    own_role = roles.role_of(found) or roles.role_of(split)
    role = own_role or roles.role_of(shared)
    described = [words(_VISIT.sub(" ", text)) for text in (own_name, read_stem)]
    speaks = roles.role_of(found) is not None or names_a_weighting(found)
    telling = _without_code(*described) if speaks else [*shared, *described[0]]
    return NiftiName(
        patient_key="/".join([*own, "_".join(prefix)] if prefix else own),
        role=role,
        is_mask=any(MASK_WORD.match(word) for word in [*found, *split, *shared]),
        modality=roles.modality_of([*found, *shared]),
        region="_".join(region).upper() if region == ["gtv"] else "_".join(region) or roles.first_label,
        words=roles.described(role, [*found, *shared], " ".join(telling)),
        folders=tuple(own),
        passed=tuple(passed),
        prefix=prefix,
        spelled=spelling(read_stem),
        initials=(
            *name_words.leading_signs(relative.name),
            *name_words.initials([word for folder in passed for word in words(folder)]),
            *name_words.initials(said),
        ),
        owner_words=tuple(
            word
            for index, word in enumerate(name_words.camel_words(read_stem))
            if word not in roles.label_words and (may_name_owner(word) or (not index and word.isdigit()))
        ),
        has_region=bool(region),
        other_image=roles.other_image([*found, *split, *shared], role),
    )


def _bids_name(relative: PurePath, bids: BidsName, roles: RoleNames) -> NiftiName:
    plain = words(" ".join(bids.plain))
    keys = {key.lower() for key in bids.entities}
    said = [label for key in ("label", "desc") for label in words(bids.entities.get(key, "")) if may_name_owner(label)]
    everything = [*words(" ".join(bids.entities.values())), *plain, *keys]
    region = [word for word in everything if REGION_WORD.match(word) or word in roles.label_words]
    suffix = words(bids.plain[-1])[-1:] if bids.plain else []
    drawn_on = [word for word in bids.drawn_on if _SUFFIX.fullmatch(word) or roles.is_called([word])]
    role = roles.role_of(drawn_on, described=bids.description)
    return NiftiName(
        patient_key="/".join([*bids.dataset, bids.subject]),
        role=role,
        is_mask=any(MASK_WORD.match(word) for word in plain) or bool(keys & {"seg", "lesion", "mask"}),
        modality=roles.modality_of(suffix),
        region="_".join(dict.fromkeys(region)) or "_".join(said[:1]) or roles.first_label,
        words=roles.described(role, drawn_on, bids.description),
        folders=(*bids.dataset, bids.subject),
        has_region=bool(region or said),
        bids=bids,
        other_image=roles.other_image([*drawn_on, *suffix], role),
    )


def _split_folders(relative: PurePath) -> tuple[list[str], list[str]]:
    """The folders whose names may identify a patient, and the innermost ones whose names cannot."""
    folders = list(relative.parent.parts)
    passed: list[str] = []
    while folders and not name_words.may_be_patients_folder(folders[-1]):
        passed.insert(0, folders.pop())
    return folders, passed


def _without_code(found: Sequence[str], read: Sequence[str]) -> list[str]:
    """The words that describe the sequence: telling ones before the role are a patient's code (``B12_T1``, ``CM_T1``),
    unless they are without a digit and name another kind of series (``sub_T1``)."""
    place = next((index for index, word in enumerate(read) if names_a_weighting([word])), 0)
    code = [word for word in read[:place] if may_identify_patient(word)]
    is_kind = bool(read_words(" ".join(code)).kinds) and not any(map(str.isdigit, "".join(code)))
    return [
        word
        for index, (word, plain) in enumerate(zip(found, read, strict=True))
        if index >= place or is_kind or not may_identify_patient(plain)
    ]
