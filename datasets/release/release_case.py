"""The cases of a release to be built, and their checks before anything is written."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_grid, read_mask
from datasets.image.mask import Mask
from datasets.image.volume import Grid
from datasets.release.codes import parts_of
from datasets.release.paths import MASK
from datasets.release.settings import ReleaseSettings, require
from datasets.study.case import QualityScore

_SITE = re.compile(r"(?:[^\W_][\w ,.()/'-]{0,99})?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_FORMER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_DIGEST = re.compile(r"[0-9a-f]{64}")

_LONGEST_TEXT = 500
_DEEPEST = 6


@dataclass(frozen=True)
class ReleaseCase:
    """An approved case: its files on one grid, and their sources.

    Args:
        code: The case's code in the release, such as ``sub-0001_ses-1`` (`datasets.release.codes`).
        tissue_type: Tissue of origin.
        anatomical_site: In words; may be empty.
        images: NIfTI file of each image by its role, all on one grid.
        drawn_role: The role of the image that annotators drew on.
        mask: NIfTI label map on the same grid.
        sources: SHA-256 of all sources of the files, by name (series, registration record, annotations). Where
            one is called ``mask_file``, or ``<role>_file``, that file must still have this digest.
        quality_score: The reviewer's score of the mask.
        unannotated_slices: Indices of slices that nobody drew on; they are empty in the mask.
        provenance: How the case was made (stages, scores, agreement, models, registrations), without names of
            people: plain values, lists of them, and tables of both by one-word names.
        empty_mask_approved: A reviewer says that the mask is rightly empty; so does the score "cannot locate tumour".
        former_codes: What earlier versions of the release called it.
    """

    code: str
    tissue_type: str
    anatomical_site: str
    images: Mapping[str, Path]
    drawn_role: str
    mask: Path
    sources: Mapping[str, str] = field(default_factory=dict)
    quality_score: QualityScore | None = None
    unannotated_slices: tuple[int, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    empty_mask_approved: bool = False
    former_codes: tuple[str, ...] = ()

    @property
    def patient_code(self) -> str:
        """The code of its patient."""
        return parts_of(self.code).patient

    @property
    def may_be_empty(self) -> bool:
        """Whether the reviewer approved a mask without a single voxel."""
        return self.empty_mask_approved or self.quality_score is QualityScore.CANNOT_LOCATE

    @property
    def files(self) -> dict[str, Path]:
        """Its files by the name under which `sources` may know their digest."""
        return {**{f"{role}_file": path for role, path in self.images.items()}, f"{MASK}_file": self.mask}

    @property
    def is_recorded(self) -> bool:
        """Whether `sources` has the digest of each of its files."""
        return set(self.files) <= set(self.sources)


def check_case_list(cases: Sequence[ReleaseCase], settings: ReleaseSettings) -> None:
    """Refuses a list of cases that cannot lie in one folder or must not be published.

    Raises:
        RejectedInput: No cases, an unfit code, two codes that differ in case only, or a withdrawn case.
    """
    require(bool(cases), "release-empty", "The release has no case.", remedy="Approve a case first.")
    for case in cases:
        parts_of(case.code)
    require(
        all(_FORMER.fullmatch(code) for case in cases for code in case.former_codes)
        and all(_FORMER.fullmatch(code) for code in settings.withdrawn),
        "release-code",
        "A code of a case is not 1 to 64 letters, digits, dots, hyphens and underscores.",
        remedy="Give every case a pseudonymous code such as sub-0001_ses-1.",
    )
    _refuse_twins([case.code for case in cases], "case")
    _refuse_twins(sorted({case.patient_code for case in cases}), "patient")
    back = {code.casefold() for code in settings.withdrawn} & {
        code.casefold() for case in cases for code in (case.code, *case.former_codes)
    }
    require(
        not back,
        "release-withdrawn",
        f"{len(back)} of the cases were withdrawn.",
        remedy="Leave withdrawn cases out.",
    )


def check_description(case: ReleaseCase, settings: ReleaseSettings) -> None:
    """Refuses a case by what is said of it; no file is read.

    Raises:
        RejectedInput: Words, sources, provenance or images that are unfit; the message names the case.
    """
    with naming_case(case.code):
        _check_words(case)
        _check_images(case, settings)


def check_files(case: ReleaseCase, settings: ReleaseSettings) -> None:
    """Reads a case's grids and mask and refuses a case that must not be published; images' voxels are not read.

    Raises:
        GeometryError: Images and mask do not lie on one grid; the message names the case.
        RejectedInput: Anything else that is unfit; the message names the case.
    """
    with naming_case(case.code):
        grid = read_grid(case.images[case.drawn_role])
        for role, path in case.images.items():
            grid.require_match(read_grid(path), what=f"The images {role} and {case.drawn_role}")
        checked_mask(case, settings, grid)


def checked_mask(case: ReleaseCase, settings: ReleaseSettings, grid: Grid) -> Mask:
    """The case's mask, on `grid`, with known labels only, and not empty unless a reviewer said so.

    Raises:
        GeometryError: It lies on another grid.
        RejectedInput: It is unreadable, empty or has an unknown label.
    """
    mask = read_mask(case.mask, labels=settings.labels)
    grid.require_match(mask.grid, what="Images and mask")
    unknown = sorted(set(np.unique(mask.data).tolist()) - {0, *settings.labels})
    require(
        not unknown,
        "mask-labels",
        f"Expected labels {sorted(settings.labels)} in the mask, got {unknown} too.",
        remedy="Name every label in the release's settings, or correct the mask.",
    )
    require(
        case.may_be_empty or bool(mask.foreground.any()),
        "mask-empty",
        "The mask is empty.",
        remedy="Leave the case out, or have a reviewer say that the mask is rightly empty.",
    )
    require(
        all(0 <= index < max(grid.shape) for index in case.unannotated_slices),
        "slices-outside",
        "The index of a slice that nobody drew on lies outside the grid.",
        remedy="Assemble the mask again.",
    )
    return mask


@contextmanager
def naming_case(code: str) -> Iterator[None]:
    """Puts the case's code in front of the message of any refusal in the block."""
    try:
        yield
    except RejectedInput as error:
        raise type(error)(error.code, f"Case {code}: {error.message}", remedy=error.remedy) from error


def _check_words(case: ReleaseCase) -> None:
    require(
        _SITE.fullmatch(case.anatomical_site) is not None and _WORD.fullmatch(case.tissue_type) is not None,
        "case-words",
        "The tissue type is not one word, or the anatomical site not plain words of at most 100 characters.",
        remedy="Correct the case's tissue type or site; a table must not read it as a formula.",
    )
    require(
        all(_WORD.fullmatch(name) and _DIGEST.fullmatch(digest) for name, digest in case.sources.items()),
        "case-sources",
        "A source is not a one-word name with a SHA-256 digest of 64 lower-case hexadecimal digits.",
        remedy="Give digests only; a source's own name may tell whose it is.",
    )
    require(
        _is_plain(case.provenance),
        "case-provenance",
        "The provenance is not made of one-word names, short texts, finite numbers, true, false, and lists of them.",
        remedy="Give plain values.",
    )


def _is_plain(value: object, depth: int = 0) -> bool:
    if isinstance(value, Mapping):
        names = all(isinstance(name, str) and _WORD.fullmatch(name) for name in value)
        return names and depth < _DEEPEST and all(_is_plain(each, depth + 1) for each in value.values())
    if isinstance(value, list | tuple):
        return depth < _DEEPEST and all(_is_plain(each, depth + 1) for each in value)
    if isinstance(value, str):
        return value.isprintable() and len(value) <= _LONGEST_TEXT
    return value is None or (isinstance(value, bool | int | float) and isfinite(value))


def _check_images(case: ReleaseCase, settings: ReleaseSettings) -> None:
    unknown = sorted(set(case.images) - {role.name for role in settings.roles})
    require(
        not unknown,
        "case-roles",
        f"Expected images of the release's roles, got {', '.join(unknown)[:80]!r} too.",
        remedy="Name the role in the release's settings, or leave the image out.",
    )
    missing = [role.name for role in settings.roles if role.is_required and role.name not in case.images]
    require(
        not missing,
        "case-image-missing",
        f"The case has no image of a required role: {', '.join(missing)}.",
        remedy="Leave the case out, or bring the image in.",
    )
    require(
        case.drawn_role in case.images,
        "case-drawn-role",
        "The case has no image of the role that it was drawn on.",
        remedy="Leave the case out, or bring the image in.",
    )


def _refuse_twins(codes: Sequence[str], kind: str) -> None:
    twins = sorted(code for code, times in Counter(code.casefold() for code in codes).items() if times > 1)
    require(
        not twins,
        "release-code-twice",
        f"Expected every {kind} code once, upper and lower case taken as one, got {', '.join(twins)} more than once.",
        remedy="Give each its own code.",
    )
