"""Name, version, licence, texts and roles of a release to be built, and their checks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from datasets.errors import RejectedInput
from datasets.image.mask import DEFAULT_LABELS
from datasets.release.codes import word_of
from datasets.release.manifest_parts import ProtocolEntry
from datasets.release.paths import MASK
from datasets.release.publication import Publication, check_lines, check_publication, refuse_names
from datasets.study.image_kind import ImageKind, is_kind
from datasets.study.protocol import Modality, Protocol
from datasets.study.splits.split_case import LARGEST_SEED, Folds

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
_NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_VERSION = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-(rc|beta|alpha)\.({_NUMBER}))?")
_ROLE = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices: a folder of that name cannot be unpacked there."""

_PRE_RELEASES = {"alpha": 0, "beta": 1, "rc": 2, None: 3}


@dataclass(frozen=True)
class ReleaseRole:
    """A role that images of a release's cases have.

    Args:
        name: Lower-case letters, digits, dots, hyphens and underscores, e.g. ``flair``: file names carry it.
        title: In words, for the card.
        kind: Word of its kind (`datasets.study.image_kind`), e.g. ``t2-fs``.
        is_required: Whether every case has an image of it.
    """

    name: str
    title: str
    kind: str
    is_required: bool = True

    @property
    def modality(self) -> Modality:
        """The machine that makes such images."""
        return ImageKind.from_word(self.kind).modality


@dataclass(frozen=True)
class ReleaseSettings:
    """Name and version of a release, its licence, and the texts of its card.

    Args:
        name: Lower-case letters, digits and hyphens, e.g. ``thigh-tumours``.
        version: ``major.minor.patch``, or with ``-alpha.N``, ``-beta.N`` or ``-rc.N`` behind it.
        licence: Name of the data's licence, best its SPDX identifier, e.g. ``CC-BY-4.0``.
        description: One or more paragraphs of plain text for the dataset card, with empty lines between them.
        seed: Seed of the suggested folds.
        licence_text: The licence in full, for LICENSE; without it the file names the licence only.
        masks_made_by: Who drew and reviewed the masks, and how, without names of people.
        known_limits: Sentences that a reader must know before using the data.
        citations: Works to cite.
        labels: Name of each value in the masks.
        roles: What images cases have.
        protocol: What the cases were made by; None without a document of it.
        design: That document; None where the publisher has only its name, or does not show it.
        folds: How many folds to suggest.
        learned_folds: Test sets by case code that a model of the study was tried on; they are suggested where they hold
            just the release's cases. None where there is none.
        follows: The version before this one, which this one must be newer than.
        withdrawn: Codes of cases that earlier versions held and that must not be used any more.
        reasons: Why a case was corrected or withdrawn, by its code, in one line without names of people.
        publication: Title, creators, DOI and whatever else catalogues ask for.
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
    design: Protocol | None = None
    folds: int = 5
    learned_folds: Folds | None = None
    follows: str | None = None
    withdrawn: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    publication: Publication = field(default_factory=Publication)

    @property
    def title(self) -> str:
        """What people call it: the publisher's title, or name and version."""
        return self.publication.title or f"{self.name} {self.version}"


def by_protocol(settings: ReleaseSettings, protocol: Protocol) -> ReleaseSettings:
    """The settings with a protocol's labels and roles."""
    return replace(
        settings,
        labels=protocol.label_names,
        roles=tuple(
            ReleaseRole(image.name, image.title, ImageKind.of_role(image).word, image.is_required)
            for image in protocol.images
        ),
        protocol=ProtocolEntry(protocol.name, protocol.version, protocol.digest),
        design=protocol,
    )


def version_key(version: str) -> tuple[int, int, int, int, int]:
    """Sort key of versions: a pre-release comes before its release.

    Raises:
        RejectedInput: Not a version of ours.
    """
    parts = _VERSION.fullmatch(version)
    require(
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
    require(
        _NAME.fullmatch(settings.name) is not None and not _RESERVED.fullmatch(settings.name),
        "release-name",
        f"Expected a name of lower-case letters, digits and hyphens, got {settings.name[:80]!r}.",
        remedy="Give a name such as thigh-tumours.",
    )
    key = version_key(settings.version)
    require(
        settings.follows is None or version_key(settings.follows) < key,
        "release-version-order",
        f"Expected a version newer than {settings.follows}, got {settings.version}.",
        remedy="Give a higher version.",
    )
    require(
        bool(settings.licence.strip()) and settings.licence.isprintable() and len(settings.licence) <= 100,
        "release-licence",
        "The licence is not a name in one line.",
        remedy="Give the licence the data goes out under, e.g. CC-BY-4.0.",
    )
    require(
        0 <= settings.seed <= LARGEST_SEED and settings.folds >= 1,
        "release-seed",
        f"Expected a seed from 0 to {LARGEST_SEED} and at least one fold, got {settings.seed} and {settings.folds}.",
        remedy="Give another seed or number of folds.",
    )
    _check_texts(settings)
    _check_roles(settings)


def _check_texts(settings: ReleaseSettings) -> None:
    texts = (settings.description, settings.licence_text, settings.masks_made_by)
    check_lines((*settings.known_limits, *settings.citations, *settings.labels.values(), *settings.reasons.values()))
    require(
        all(is_text(text.replace("\n", "").replace("\t", "")) for text in texts),
        "release-text",
        "A text holds control characters.",
        remedy="Take the control characters out.",
    )
    for text in texts:
        refuse_names(text)
    check_publication(settings.publication)
    require(
        bool(settings.labels) and all(1 <= value <= 255 for value in settings.labels),
        "release-labels",
        "The release names no label, or one with a value outside 1 to 255.",
        remedy="Name the values that the masks hold; 0 is background.",
    )
    names = [name.strip().casefold() for name in settings.labels.values()]
    require(
        all(names) and len(set(names)) == len(names),
        "release-labels",
        "Two labels of the release have one name, or one has none.",
        remedy="Give each label a name of its own.",
    )


def _check_roles(settings: ReleaseSettings) -> None:
    names = [role.name for role in settings.roles]
    words = {word_of(name, otherwise="").casefold() for name in names}
    require(
        bool(names)
        and all(_ROLE.fullmatch(name) and name != MASK and not _RESERVED.fullmatch(name) for name in names)
        and len(words) == len(names),
        "release-roles",
        "The release names no role of images, two whose letters and digits are the same, or one that no file can have.",
        remedy="Name the roles of the cases' images in lower-case letters, digits, dots, hyphens and underscores.",
    )
    require(
        all(is_kind(role.kind) and is_text(role.title) for role in settings.roles),
        "release-roles",
        "A role's kind is not a word such as t1, t2-fs or ct, or its title not one line.",
        remedy="Correct the protocol.",
    )
    _check_protocol(settings)


def _check_protocol(settings: ReleaseSettings) -> None:
    protocol, design = settings.protocol, settings.design
    require(
        protocol is None or (is_text(protocol.name) and bool(_DIGEST.fullmatch(protocol.digest))),
        "release-protocol",
        "The protocol's name is not one line, or its digest not SHA-256 in hexadecimal digits.",
        remedy="Name the protocol as its document does.",
    )
    require(
        design is None or (protocol is not None and design.digest == protocol.digest),
        "release-protocol",
        "The protocol's document is not the one of the digest.",
        remedy="Give the document and its digest together.",
    )


def is_text(text: str) -> bool:
    """Whether this is one line without control characters."""
    return text.isprintable()


def require(fit: bool, code: str, message: str, *, remedy: str) -> None:
    """Refuses what is not fit.

    Raises:
        RejectedInput: It is not fit.
    """
    if not fit:
        raise RejectedInput(code, message, remedy=remedy)
