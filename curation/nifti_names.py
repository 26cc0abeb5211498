"""What the name of a NIfTI, NRRD or MetaImage file says: whose image it is, its role, and whether it is a mask.

The rule: a name is cut into words at every sign that is not a letter or a digit. A word that begins with ``t1`` or
``t2`` gives the role (``t1``, ``T1w``, ``t2fs``), ``stir`` and ``tirm`` mean T2. A word that begins with ``mask``,
``seg``, ``label`` or ``roi``, or is ``gtv``, makes it a mask. ``ct``, ``pet`` and ``suv`` say that it is no MRI. Common
words (``MR``, ``image``, ``axial``, ``manual``...) say nothing. What is left over is the prefix that the files of one
patient share. The patient is the folder together with that prefix. A folder whose name holds such words only (``t1/``,
``images/``, ``labelsTr/``) is no patient's: its parent is taken, and it speaks for a file whose own name does not say
role or mask. So these are pairs:

    STS_001/MR_T1_image.nii.gz    STS_001/MR_T2_image.nii.gz    (mask: STS_001/MR_T1_mask.nii.gz)
    images/case7_t1.nii.gz        images/case7_t2_fs.nii.gz     (mask: labels/case7_t2_seg.nii.gz)
    case7/t1/t1w.nii.gz           case7/t2/t2w.nii.gz
"""

import re
from dataclasses import dataclass, field
from pathlib import PurePath

from datasets.case import SeriesRole
from datasets.mask import TUMOUR

_ROLES = (
    (SeriesRole.T1, re.compile(r"^t1[a-z]*$")),
    (SeriesRole.T2, re.compile(r"^(t2[a-z]*|stir|tirm)$")),
)
_MASK_WORD = re.compile(r"^(masks?|seg[a-z]*|labels?(tr|ts)?|rois?|gtv)$")
_REGION_WORD = re.compile(r"^(gtv|mass|tumou?r|lesion|o?edema)$")
_OTHER_MODALITIES = {"ct": "CT", "pet": "PT", "suv": "PT"}
_SILENT_WORD = re.compile(
    r"^(mri?|images?(tr|ts)?|img|volumes?|scans?|nifti|nii|ax|axial|tra|transversal?|cor|coronal|sag|sagittal"
    r"|tse|fse|se|fs|fat|sat|fatsat|spair|spir|dixon|water|w|wi|weighted|manual|final|original|orig|raw|study|post|gd|ce)$"
)


@dataclass(frozen=True)
class NiftiName:
    """What a file's name says.

    Args:
        patient_key: Folder and prefix that the files of one patient share. Never to be stored or shown.
        role: T1 or T2; None where the name does not say.
        is_mask: Whether the name says mask.
        modality: DICOM's word for another modality than MR; empty where the name says none.
        region: Name of the region for a mask; `TUMOUR` where the name does not say.
        words: All words, for the rules that look for fat suppression and the like. Never to be shown.
    """

    patient_key: str = field(repr=False)
    role: SeriesRole | None
    is_mask: bool
    modality: str
    region: str
    words: str = field(repr=False)


def read_name(relative: PurePath) -> NiftiName:
    """Reads the name of a file given relative to the scanned folder."""
    words = _words(_stem(relative.name))
    own, shared = _split_folders(relative)
    prefix = "_".join(word for word in words if _is_telling(word))
    region = [word for word in words if _REGION_WORD.match(word)]
    return NiftiName(
        patient_key="/".join([*own, prefix] if prefix else own),
        role=_role(words) or _role(shared),
        is_mask=any(_MASK_WORD.match(word) for word in [*words, *shared]),
        modality=next((_OTHER_MODALITIES[word] for word in [*words, *shared] if word in _OTHER_MODALITIES), ""),
        region="_".join(region).upper() if region == ["gtv"] else "_".join(region) or TUMOUR,
        words=" ".join(words),
    )


def _split_folders(relative: PurePath) -> tuple[list[str], list[str]]:
    """The folders that may tell one patient from another, and the words of the innermost ones that cannot."""
    folders = list(relative.parent.parts)
    shared: list[str] = []
    while folders and not any(_is_telling(word) for word in _words(folders[-1])):
        shared += _words(folders.pop())
    return folders, shared


def _is_telling(word: str) -> bool:
    """Whether a word may tell one patient from another."""
    return word not in _OTHER_MODALITIES and not any(
        pattern.match(word) for pattern in (_MASK_WORD, _REGION_WORD, _SILENT_WORD, *dict(_ROLES).values())
    )


def _role(words: list[str]) -> SeriesRole | None:
    found = {role for role, pattern in _ROLES for word in words if pattern.match(word)}
    return found.pop() if len(found) == 1 else None


def _stem(name: str) -> str:
    return re.sub(r"\.(nii(\.gz)?|nrrd|nhdr|mha|mhd)$", "", name, flags=re.IGNORECASE)


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word]
