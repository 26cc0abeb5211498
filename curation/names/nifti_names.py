"""Reads patient, role and mask or image from the name of a NIfTI, NRRD or MetaImage file.

The rule: a name is cut into words at every sign that is no letter, digit or symbol of some script. A word that begins
with ``t1`` or ``t2`` gives the role (``t1``, ``T1w``, ``t2fs``), ``stir`` and ``tirm`` mean T2. A word that begins with
``mask``, ``seg``, ``label`` or ``roi``, or is ``gtv``, makes it a mask. ``ct``, ``pet`` and ``suv`` say that it is no
MRI. Common words (``MR``, ``image``, ``axial``, ``manual``...) are ignored. The words left over are the prefix that the
files of one patient share. The patient is the folder together with that prefix. A folder whose name holds such words
only (``t1/``, ``images/``, ``labelsTr/``) is no patient's: its parent is taken, and it gives role or mask for a file
whose own name does not. So these are pairs:

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
    OTHER_MODALITIES,
    OTHER_PART,
    REGION_WORD,
    may_identify_patient,
    may_name_owner,
    role_of,
    words,
)
from datasets.image.mask import TUMOUR

_VISIT = re.compile(r"(?<![^_])ses-[^_]+", re.IGNORECASE)
"""A visit's name describes no sequence: ``ses-post`` is no contrast agent."""


@dataclass(frozen=True)
class NiftiName:
    """Patient, role and kind of a file by its name.

    Args:
        patient_key: Folder and prefix that the files of one patient share. Never to be stored or shown.
        role: T1 or T2; None where the name does not say.
        is_mask: Whether the name says mask.
        modality: DICOM's word for another modality than MR; empty where the name says none.
        region: Name of the region for a mask; `TUMOUR` where the name does not say.
        words: Its words about the sequence, for the rules that look for fat suppression and the like. Never to be
            shown.
        folders: The folders that may be a patient's. Never to be shown.
        passed: The folders below them, whose names identify no patient. Never to be shown.
        prefix: The words of the file's own name that may identify a patient. Never to be shown.
        spelled: Those words as written, in pieces. Never to be shown.
        initials: Words outside the key that may still be initials or a visit. Never to be shown.
        owner_words: The words of a mask's name that may identify the patient. Never to be shown.
        has_region: Whether the name itself says the region.
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

    @property
    def made_by(self) -> Mapping[str, str]:
        """BIDS's entities that tell one image of a subject from another. Never to be shown."""
        return self.bids.made_by if self.bids else {}


def read_name(relative: PurePath) -> NiftiName:
    """Reads the name of a file given relative to the scanned folder."""
    bids = read_bids_name(relative)
    return _plain_name(relative) if bids is None else _bids_name(relative, bids)


def _plain_name(relative: PurePath) -> NiftiName:
    found = words(name_words.stem(relative.name))
    described = words(_VISIT.sub(" ", name_words.stem(relative.name)))
    split = name_words.camel_words(name_words.stem(relative.name))
    own, passed = _split_folders(relative)
    shared = [word for folder in reversed(passed) for word in words(folder)]
    prefix = tuple(word for word in found if may_identify_patient(word))
    region = [word for word in split if REGION_WORD.match(word)]
    region = region or [word for word in split if OTHER_PART.match(word)]
    return NiftiName(
        patient_key="/".join([*own, "_".join(prefix)] if prefix else own),
        role=role_of(found) or role_of(split) or role_of(shared),
        is_mask=any(MASK_WORD.match(word) for word in [*found, *split, *shared]),
        modality=next((OTHER_MODALITIES[word] for word in [*found, *shared] if word in OTHER_MODALITIES), ""),
        region="_".join(region).upper() if region == ["gtv"] else "_".join(region) or TUMOUR,
        words=" ".join(_without_code(described) if role_of(found) else [*shared, *described]),
        folders=tuple(own),
        passed=tuple(passed),
        prefix=prefix,
        spelled=spelling(name_words.stem(relative.name)),
        initials=(
            *name_words.leading_signs(relative.name),
            *name_words.initials([word for folder in passed for word in words(folder)]),
            *name_words.initials(found),
        ),
        owner_words=tuple(
            word for index, word in enumerate(split) if may_name_owner(word) or (not index and word.isdigit())
        ),
        has_region=bool(region),
    )


def _bids_name(relative: PurePath, bids: BidsName) -> NiftiName:
    plain = words(" ".join(bids.plain))
    keys = {key.lower() for key in bids.entities}
    said = [label for key in ("label", "desc") for label in words(bids.entities.get(key, "")) if may_name_owner(label)]
    region = [word for word in [*words(" ".join(bids.entities.values())), *plain, *keys] if REGION_WORD.match(word)]
    suffix = words(bids.plain[-1])[-1:] if bids.plain else []
    return NiftiName(
        patient_key="/".join([*bids.dataset, bids.subject]),
        role=role_of([word for word in bids.drawn_on if re.fullmatch(r"t[12]w?", word)]),
        is_mask=any(MASK_WORD.match(word) for word in plain) or bool(keys & {"seg", "lesion", "mask"}),
        modality=next((OTHER_MODALITIES[word] for word in suffix if word in OTHER_MODALITIES), ""),
        region="_".join(dict.fromkeys(region)) or "_".join(said[:1]) or TUMOUR,
        words=bids.description,
        folders=(*bids.dataset, bids.subject),
        has_region=bool(region or said),
        bids=bids,
    )


def _split_folders(relative: PurePath) -> tuple[list[str], list[str]]:
    """The folders whose names may identify a patient, and the innermost ones whose names cannot."""
    folders = list(relative.parent.parts)
    passed: list[str] = []
    while folders and not name_words.may_be_patients_folder(folders[-1]):
        passed.insert(0, folders.pop())
    return folders, passed


def _without_code(found: Sequence[str]) -> list[str]:
    """The words that describe the sequence: telling ones before the role are a patient's code (``B12_T1``, ``CM_T1``),
    unless they are without a digit and name another kind of series (``sub_T1``)."""
    place = next((index for index, word in enumerate(found) if role_of([word]) is not None), 0)
    code = [word for word in found[:place] if may_identify_patient(word)]
    is_kind = bool(read_words(" ".join(code)).kinds) and not any(map(str.isdigit, "".join(code)))
    return [word for index, word in enumerate(found) if index >= place or is_kind or not may_identify_patient(word)]
