"""The words of file and folder names, in any script, and which of them can identify a patient."""

import re
import unicodedata
from collections.abc import Sequence

_WEIGHTINGS = (re.compile(r"^t1[a-z]*$"), re.compile(r"^(t2[a-z]*|stir|tirm)$"))
"""Words for T1 and T2, which identify nobody whatever the study. Keys of stored patients depend on them."""

REGION_WORD = re.compile(
    r"^(gtv|ctv|ptv|mass|tumou?rs?|tumeur|lesions?|läsion|lésion|o?edema|ödem|oedem|(œ|oe)d[eè]me|obrzęk|sarcoma|necrosis"
    r"|опухоль|от[её]к|[肿腫][瘤瘍]|水[肿腫]|浮腫|종양|부종|ورم|وذمة)$"
)
"""Words for a tumour or oedema. A mask called oedema in whatever language must not count as the tumour."""

MASK_WORD = re.compile(
    r"^(masks?|segs?|segm|segment(s|ed|ation|ations)?|dseg|probseg|labels?(tr|ts)?|labelmaps?|rois?|gtv|ctv|ptv)$"
)
OTHER_PART = re.compile(
    r"^(brain|body|bones?|muscles?|skin|vessels?|arter(y|ies)|veins?|nerves?|liver|kidneys?|lungs?|heart|spleen|prostate"
    r"|bladder|cord|spine|vertebrae?|femur|tibia|fibula|humerus|organs?|background|air)$"
)
"""Other structures that masks are drawn of. The site of a tumour (``thigh``) is none of them."""

OTHER_MODALITIES = {"ct": "CT", "pet": "PT", "suv": "PT"}

_KEY_MASK_WORD = re.compile(r"^(masks?|seg[a-z]*|labels?(tr|ts)?|rois?|gtv)$")
_KEY_REGION_WORD = re.compile(r"^(gtv|mass|tumou?r|lesion|o?edema)$")
"""Words left out of patient keys. Keys of stored patients depend on these lists: they must not change."""

_SILENT_WORD = re.compile(
    r"^(mri?|images?(tr|ts)?|img|volumes?|scans?|nifti|nii|ax|axial|tra|transversal?|cor|coronal|sag|sagittal"
    r"|tse|fse|se|fs|fat|sat|fatsat|spair|spir|dixon|water|w|wi|weighted|manual|final|original|orig|raw|study|post|gd|ce)$"
)
_PLAIN_WORD = re.compile(
    r"^(mri?|images?(tr|ts)?|img|volumes?|scans?|nifti|nii|axial|transversal?|coronal|sagittal"
    r"|tse|fse|fatsat|spair|spir|dixon|weighted)$"
)
"""Words without meaning here, which are no initials and name no visit."""

_TECHNIQUE = re.compile(
    r"^t[12](w|wi|weighted|s|star|map|mapping|rho|flair|tse|fse|se|gre|ge|ffe|vibe|haste|blade|mprage|space|cube|dixon|stir"
    r"|tirm|spair|spir|fs|fat|sat|fatsat|nofs|nfs|ax|axial|tra|trans|transversal|cor|coronal|sag|sagittal|ce|gd|gad|c|km"
    r"|post|pre|nativ|native|iso|hr|image|img|scan|vol|mask|seg|label|roi|lesion|tumou?r|d|r)*$"
)
"""Words that begin with a role and describe the technique alone; ``T1meier`` also names a person."""

_PLANE_WORD = re.compile(r"^(ax|tra|cor|sag)$")
_SEQUENCE_WORD = re.compile(r"^(ax|tra|cor|sag|se|fs|fat|sat|water|gd|ce)$")
_NOBODYS_WORD = re.compile(
    r"^(reader|rater|observer|annotator|annotation|annotated|expert|user|operator|untitled|copy|new|old|version|v|r|auto"
    r"|automatic|pred|prediction|predicted|corrected|edited|consensus|gt|ground|truth|groundtruth|contours?|outline|outlined"
    r"|drawn|by|region|output|result|binary|space|desc|label|nifti|export|exported)?\d{0,2}$"
)
"""Words of a mask's name for its reader, program or version, which do not identify the patient."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def words(text: str) -> list[str]:
    """The words of a name in small letters: letters of every script, digits and symbols between signs and blanks."""
    composed = unicodedata.normalize("NFC", text).lower()
    return "".join(" " if is_between(sign) else sign for sign in composed).split()


def camel_words(text: str) -> list[str]:
    """As `words`, with ``tumorMask`` as two."""
    return words(_CAMEL.sub(" ", text))


def may_identify_patient(word: str) -> bool:
    """Whether a word may identify a patient."""
    return word not in OTHER_MODALITIES and not any(
        pattern.match(word) for pattern in (_KEY_MASK_WORD, _KEY_REGION_WORD, _SILENT_WORD, *_WEIGHTINGS)
    )


def may_be_patients_folder(folder: str) -> bool:
    """Whether a folder's name may be a patient's: a word of it may identify one, or it is made of signs alone."""
    found = words(folder)
    return not found or any(map(may_identify_patient, found))


def describes_content(folder: str) -> bool:
    """Whether a folder's name is a role, mask or kind of file (``t1``, ``labelsTr``, ``images``) and no person's.

    ``SE``, ``W`` and ``Post`` may be initials or a visit.
    """
    found = words(folder)
    speaks = any(MASK_WORD.match(word) or _is_technique(word) for word in found)
    return all(_is_plain(word) or (speaks and bool(_SILENT_WORD.match(word))) for word in found)


def leading_signs(text: str) -> list[str]:
    """Signs before the first word that are no separators: they may be a name without letters."""
    signs = "".join(sign for sign in text[: _first_word(text)] if sign not in " _-.,")
    return [signs] if signs else []


def _first_word(text: str) -> int:
    return next((place for place, sign in enumerate(text) if not is_between(sign)), len(text))


def initials(found: Sequence[str]) -> tuple[str, ...]:
    """Words outside the patient key that may still be a name, initials or a visit."""
    place = next((index for index, word in enumerate(found) if names_a_weighting([word])), len(found))
    return tuple(
        word
        for index, word in enumerate(found)
        if not may_identify_patient(word) and word not in OTHER_MODALITIES and not _is_plain(word)
        if index < place or not _SILENT_WORD.match(word)
    )


def is_plane(word: str) -> bool:
    """Whether one of the `initials` is a plane's short name, which it is as a rule."""
    return bool(_PLANE_WORD.match(word))


def describes_a_sequence(word: str) -> bool:
    """Whether one of the `initials` is common before a role (``se_T1``, ``fs_T2``)."""
    return bool(_SEQUENCE_WORD.match(word))


def may_be_a_visit(word: str) -> bool:
    """Whether one of the `initials` may name a visit (``post``), rather than a person."""
    return bool(_SILENT_WORD.match(word))


def names_a_weighting(found: Sequence[str]) -> bool:
    """Whether the words name T1 or T2, and not both."""
    return sum(any(map(pattern.match, found)) for pattern in _WEIGHTINGS) == 1


def may_name_owner(word: str) -> bool:
    """Whether a word of a mask's name may identify the patient, rather than the region or the reader."""
    known = MASK_WORD.match(word) or REGION_WORD.match(word) or _NOBODYS_WORD.match(word)
    return may_identify_patient(word) and not known


def stem(name: str) -> str:
    """A file's name without its suffix."""
    return re.sub(r"\.(nii(\.gz)?|nrrd|nhdr|mha|mhd)$", "", name, flags=re.IGNORECASE)


def _is_technique(word: str) -> bool:
    return word in ("stir", "tirm") or bool(_TECHNIQUE.match(word))


def _is_plain(word: str) -> bool:
    """Whether a word describes the file and cannot identify a patient."""
    patterns = (_PLAIN_WORD, MASK_WORD, REGION_WORD, _KEY_REGION_WORD)
    return _is_technique(word) or any(pattern.match(word) for pattern in patterns)


def is_between(sign: str) -> bool:
    """Whether a sign stands between words."""
    if sign.isascii():
        return not sign.isalnum()
    category = unicodedata.category(sign)
    return category[0] in "PZ" or category in ("Cc", "Cf")
