"""The patients' keys of versions before names were read in every script, by which old records find their patients.

Kept unchanged, letter by letter: it finds the patient of a known case, and is used for nothing else.
"""

import re
from pathlib import PurePath

_SILENT = (
    re.compile(r"^(masks?|seg[a-z]*|labels?(tr|ts)?|rois?|gtv)$"),
    re.compile(r"^(gtv|mass|tumou?r|lesion|o?edema)$"),
    re.compile(
        r"^(mri?|images?(tr|ts)?|img|volumes?|scans?|nifti|nii|ax|axial|tra|transversal?|cor|coronal|sag|sagittal|tse|fse|se"
        r"|fs|fat|sat|fatsat|spair|spir|dixon|water|w|wi|weighted|manual|final|original|orig|raw|study|post|gd|ce)$"
    ),
    re.compile(r"^t1[a-z]*$"),
    re.compile(r"^(t2[a-z]*|stir|tirm)$"),
    re.compile(r"^(ct|pet|suv)$"),
)


def key_of(relative: PurePath) -> str:
    """The key that a file's path gave: never to be shown."""
    folders = list(relative.parent.parts)
    while folders and not any(map(_is_telling, _words(folders[-1]))):
        folders.pop()
    name = re.sub(r"\.(nii(\.gz)?|nrrd|nhdr|mha|mhd)$", "", relative.name, flags=re.IGNORECASE)
    prefix = "_".join(word for word in _words(name) if _is_telling(word))
    return "/".join([*folders, prefix] if prefix else folders)


def _is_telling(word: str) -> bool:
    return not any(pattern.match(word) for pattern in _SILENT)


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word]
