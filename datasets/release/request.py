"""The settings and cases of a release to be built, and their checks before anything is written."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path

import numpy as np

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_grid, read_mask
from datasets.image.mask import DEFAULT_LABELS, Mask
from datasets.image.volume import Grid
from datasets.release.manifest import MASK, ProtocolEntry
from datasets.study.case import QualityScore
from datasets.study.protocol import Protocol
from datasets.study.splits.split_case import LARGEST_SEED

Parameter = str | int | float | bool | None

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
_CODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_VERSION = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-(rc|beta|alpha)\.({_NUMBER}))?")
_SITE = re.compile(r"(?:[^\W_][\w ,.()/'-]{0,99})?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_ROLE = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?")
_MODALITY = re.compile(r"[A-Z]{2,16}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices: a folder of that name cannot be unpacked there."""

_PRE_RELEASES = {"alpha": 0, "beta": 1, "rc": 2, None: 3}


@dataclass(frozen=True)
class ReleaseRole:
    """A role that images of a release's cases have.

    Args:
        name: Lower-case letters, digits, dots, hyphens and underscores, e.g. ``flair``: the name of its files.
        title: In words, for the card.
        modality: As DICOM writes it, e.g. ``MR``.
        is_required: Whether every case has an image of it.
    """

    name: str
    title: str
    modality: str
    is_required: bool = True


@dataclass(frozen=True)
class ReleaseSettings:
    """Name and version of a release, its licence, and the texts of its card.

    Args:
        name: Lower-case letters, digits and hyphens, e.g. ``thigh-tumours``.
        version: ``major.minor.patch``, or with ``-alpha.N``, ``-beta.N`` or ``-rc.N`` behind it.
        licence: Name of the data's licence, best its SPDX identifier, e.g. ``CC-BY-4.0``.
        description: One or more paragraphs of Markdown for the dataset card.
        seed: Seed of the suggested folds.
        licence_text: The licence in full, for LICENSE.txt; without it the file names the licence only.
        masks_made_by: Who drew and reviewed the masks, and how, without names of people.
        known_limits: Sentences that a reader must know before using the data.
        citations: Works to cite.
        labels: Name of each value in the masks.
        roles: What images cases have.
        protocol: What the cases were made by; None without a document of it.
        folds: How many folds to suggest.
        follows: The version before this one, which this one must be newer than.
        withdrawn: Codes of cases that earlier versions held and that must not be used any more.
    """

    name: str
    version: str
    licence: str
    description: str = ""
    seed: int = 0
    licence_text: str = ""
    masks_made_by: str = ""
    known_limits: tuple[str, ...] = ()
    citations: tuple[str, ...] = ()
    labels: Mapping[int, str] = field(default_factory=lambda: DEFAULT_LABELS)
    roles: tuple[ReleaseRole, ...] = ()
    protocol: ProtocolEntry | None = None
    folds: int = 5
    follows: str | None = None
    withdrawn: tuple[str, ...] = ()


def by_protocol(settings: ReleaseSettings, protocol: Protocol) -> ReleaseSettings:
    """The settings with a protocol's labels and roles."""
    return replace(
        settings,
        labels=protocol.label_names,
        roles=tuple(
            ReleaseRole(image.name, image.title, str(image.modality), image.is_required) for image in protocol.images
        ),
        protocol=ProtocolEntry(protocol.name, protocol.version, protocol.digest),
    )


@dataclass(frozen=True)
class ReleaseCase:
    """An approved case: its files on one grid, and their sources.

    Args:
        code: The case's code.
        patient_code: The patient's pseudonymous code.
        tissue_type: Tissue of origin.
        anatomical_site: In words; may be empty.
        images: NIfTI file of each image by its role, all on one grid.
        drawn_role: The role of the image that annotators drew on.
        mask: NIfTI label map on the same grid.
        sources: SHA-256 of all sources of the files, by name (series, registration record, annotations). Where
            one is called ``mask_file``, or ``<role>_file``, that file must still have this digest.
        quality_score: The reviewer's score of the mask.
        unannotated_slices: Indices of slices that nobody drew on; they are empty in the mask.
        parameters: Further facts about how the case was made (a verdict, a threshold), without names of people.
        empty_mask_approved: A reviewer says that the mask is rightly empty; so does the score "cannot locate tumour".
    """

    code: str
    patient_code: str
    tissue_type: str
    anatomical_site: str
    images: Mapping[str, Path]
    drawn_role: str
    mask: Path
    sources: Mapping[str, str] = field(default_factory=dict)
    quality_score: QualityScore | None = None
    unannotated_slices: tuple[int, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    empty_mask_approved: bool = False

    @property
    def may_be_empty(self) -> bool:
        """Whether the reviewer approved a mask without a single voxel."""
        return self.empty_mask_approved or self.quality_score is QualityScore.CANNOT_LOCATE

    @property
    def files(self) -> dict[str, Path]:
        """Its files by the name under which `sources` may know their digest."""
        return {**{f"{role}_file": path for role, path in self.images.items()}, f"{MASK}_file": self.mask}


def version_key(version: str) -> tuple[int, int, int, int, int]:
    """Sort key of versions: a pre-release comes before its release.

    Raises:
        RejectedInput: Not a version of ours.
    """
    parts = _VERSION.fullmatch(version)
    _require(
        parts is not None,
        "release-version",
        f"Expected a version such as 1.0.0 or 1.1.0-rc.1, got {version[:40]!r}.",
        remedy="Give three numbers with dots between them (semantic versioning).",
    )
    major, minor, patch, stage, number = parts.groups()  # type: ignore[union-attr]
    return int(major), int(minor), int(patch), _PRE_RELEASES[stage], int(number or 0)


def check_settings(settings: ReleaseSettings) -> None:
    """Refuses settings that no release can have.

    Raises:
        RejectedInput: Says which one and why.
    """
    _require(
        _NAME.fullmatch(settings.name) is not None and not _RESERVED.fullmatch(settings.name),
        "release-name",
        f"Expected a name of lower-case letters, digits and hyphens, got {settings.name[:80]!r}.",
        remedy="Give a name such as thigh-tumours.",
    )
    key = version_key(settings.version)
    _require(
        settings.follows is None or version_key(settings.follows) < key,
        "release-version-order",
        f"Expected a version newer than {settings.follows}, got {settings.version}.",
        remedy="Give a higher version.",
    )
    _require(
        bool(settings.licence.strip()) and settings.licence.isprintable() and len(settings.licence) <= 100,
        "release-licence",
        "The licence is not a name in one line.",
        remedy="Give the licence the data goes out under, e.g. CC-BY-4.0.",
    )
    _require(
        0 <= settings.seed <= LARGEST_SEED and settings.folds >= 1,
        "release-seed",
        f"Expected a seed from 0 to {LARGEST_SEED} and at least one fold, got {settings.seed} and {settings.folds}.",
        remedy="Give another seed or number of folds.",
    )
    _check_texts(settings)
    _check_roles(settings)


def check_case_list(cases: Sequence[ReleaseCase], settings: ReleaseSettings) -> None:
    """Refuses a list of cases that cannot lie in one folder or must not be published.

    Raises:
        RejectedInput: No cases, an unfit code, two codes that differ in case only, or a withdrawn case.
    """
    _require(bool(cases), "release-empty", "The release has no case.", remedy="Approve a case first.")
    for code in [code for case in cases for code in (case.code, case.patient_code)] + list(settings.withdrawn):
        _require(
            _CODE.fullmatch(code) is not None and not _RESERVED.fullmatch(code),
            "release-code",
            "A code of a case or patient is not 1 to 64 letters, digits, dots, hyphens and underscores.",
            remedy="Give every case and patient a pseudonymous code such as C0001 and P0001.",
        )
    _refuse_twins([case.code for case in cases], "case")
    _refuse_twins(sorted({case.patient_code for case in cases}), "patient")
    back = {code.casefold() for code in settings.withdrawn} & {case.code.casefold() for case in cases}
    _require(
        not back,
        "release-withdrawn",
        f"{len(back)} of the cases were withdrawn.",
        remedy="Leave withdrawn cases out.",
    )


def check_case(case: ReleaseCase, settings: ReleaseSettings) -> None:
    """Reads a case's grids and mask and refuses a case that must not be published; images' voxels are not read.

    Raises:
        GeometryError: Images and mask do not lie on one grid; the message names the case.
        RejectedInput: Anything else that is unfit; the message names the case.
    """
    with naming_case(case.code):
        _check_words(case)
        _check_images(case, settings)
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
    _require(
        not unknown,
        "mask-labels",
        f"Expected labels {sorted(settings.labels)} in the mask, got {unknown} too.",
        remedy="Name every label in the release's settings, or correct the mask.",
    )
    _require(
        case.may_be_empty or bool(mask.foreground.any()),
        "mask-empty",
        "The mask is empty.",
        remedy="Leave the case out, or have a reviewer say that the mask is rightly empty.",
    )
    _require(
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
    _require(
        _SITE.fullmatch(case.anatomical_site) is not None and _WORD.fullmatch(case.tissue_type) is not None,
        "case-words",
        "The tissue type is not one word, or the anatomical site not plain words of at most 100 characters.",
        remedy="Correct the case's tissue type or site; a table must not read it as a formula.",
    )
    _require(
        all(_WORD.fullmatch(name) and _DIGEST.fullmatch(digest) for name, digest in case.sources.items()),
        "case-sources",
        "A source is not a one-word name with a SHA-256 digest of 64 lower-case hexadecimal digits.",
        remedy="Give digests only; a source's own name may tell whose it is.",
    )
    _require(
        all(_WORD.fullmatch(name) and _is_plain(value) for name, value in case.parameters.items()),
        "case-parameters",
        "A parameter is not a one-word name with a short text, a finite number, true, false or nothing.",
        remedy="Give plain values.",
    )


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return value.isprintable() and len(value) <= 200
    return value is None or (isinstance(value, bool | int | float) and isfinite(value))


def _check_texts(settings: ReleaseSettings) -> None:
    texts = (settings.description, settings.licence_text, settings.masks_made_by)
    lines = (*settings.known_limits, *settings.citations, *settings.labels.values())
    _require(
        all(_is_text(text.replace("\n", "").replace("\t", "")) for text in texts) and all(map(_is_text, lines)),
        "release-text",
        "A text holds control characters, or a limit, citation or label is not one line.",
        remedy="Take the control characters out.",
    )
    _require(
        bool(settings.labels) and all(1 <= value <= 255 for value in settings.labels),
        "release-labels",
        "The release names no label, or one with a value outside 1 to 255.",
        remedy="Name the values that the masks hold; 0 is background.",
    )
    names = [name.strip().casefold() for name in settings.labels.values()]
    _require(
        all(names) and len(set(names)) == len(names),
        "release-labels",
        "Two labels of the release have one name, or one has none.",
        remedy="Give each label a name of its own.",
    )


def _check_roles(settings: ReleaseSettings) -> None:
    names = [role.name for role in settings.roles]
    _require(
        bool(names)
        and all(_ROLE.fullmatch(name) and name != MASK and not _RESERVED.fullmatch(name) for name in names)
        and len(set(names)) == len(names),
        "release-roles",
        "The release names no role of images, one twice, or one whose name no file can have beside the mask.",
        remedy="Name the roles of the cases' images in lower-case letters, digits, dots, hyphens and underscores.",
    )
    _require(
        all(_MODALITY.fullmatch(role.modality) and _is_text(role.title) for role in settings.roles),
        "release-roles",
        "A role's modality is not a DICOM word such as MR, or its title not one line.",
        remedy="Correct the protocol.",
    )
    protocol = settings.protocol
    _require(
        protocol is None or (_is_text(protocol.name) and bool(_DIGEST.fullmatch(protocol.digest))),
        "release-protocol",
        "The protocol's name is not one line, or its digest not SHA-256 in hexadecimal digits.",
        remedy="Name the protocol as its document does.",
    )


def _check_images(case: ReleaseCase, settings: ReleaseSettings) -> None:
    unknown = sorted(set(case.images) - {role.name for role in settings.roles})
    _require(
        not unknown,
        "case-roles",
        f"Expected images of the release's roles, got {', '.join(unknown)[:80]!r} too.",
        remedy="Name the role in the release's settings, or leave the image out.",
    )
    missing = [role.name for role in settings.roles if role.is_required and role.name not in case.images]
    _require(
        not missing,
        "case-image-missing",
        f"The case has no image of a required role: {', '.join(missing)}.",
        remedy="Leave the case out, or bring the image in.",
    )
    _require(
        case.drawn_role in case.images,
        "case-drawn-role",
        "The case has no image of the role that it was drawn on.",
        remedy="Leave the case out, or bring the image in.",
    )


def _is_text(text: str) -> bool:
    return text.isprintable()


def _refuse_twins(codes: Sequence[str], kind: str) -> None:
    twins = sorted(code for code, times in Counter(code.casefold() for code in codes).items() if times > 1)
    _require(
        not twins,
        "release-code-twice",
        f"Expected every {kind} code once, upper and lower case taken as one, got {', '.join(twins)} more than once.",
        remedy="Give each its own code.",
    )


def _require(fit: bool, code: str, message: str, *, remedy: str) -> None:
    if not fit:
        raise RejectedInput(code, message, remedy=remedy)
