"""What changed between two versions of a release."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from datasets.finding import Finding


@dataclass(frozen=True)
class FieldChange:
    """One field of a case or of the release.

    Args:
        name: In words.
        old: Its value before, in words; empty for none.
        new: Its value now.
    """

    name: str
    old: str
    new: str


class ImageFate(StrEnum):
    """What happened to an image."""

    CAME = "came"
    LEFT = "left"
    CHANGED = "voxels changed"
    MOVED = "lies elsewhere"


@dataclass(frozen=True)
class ImageChange:
    """An image of a case.

    Args:
        role: Its role.
        fate: What happened.
        voxels: How many voxels have another value; None where they lie on another grid, or one of both is not there.
        share: The same as a share of all.
        largest: Largest difference of a value; None as `voxels`.
        grid: How the new grid differs from the old one, in words; empty where it does not.
    """

    role: str
    fate: ImageFate
    voxels: int | None = None
    share: float | None = None
    largest: float | None = None
    grid: str = ""


@dataclass(frozen=True)
class MaskChange:
    """A label of a case's mask.

    Args:
        label: Its name.
        old_ml: Its volume before.
        new_ml: Its volume now.
        came: How many voxels are inside now that were not; None on another grid.
        left: How many are no longer inside.
        changed_ml: Volume of both together.
        dice: Overlap of old and new, 0 to 1.
        largest_mm: Largest distance of a surface voxel of one from the other's nearest; None where only one of the two
            holds a voxel, too.
        slices: Slices in which a voxel changed.
    """

    label: str
    old_ml: float
    new_ml: float
    came: int | None = None
    left: int | None = None
    changed_ml: float | None = None
    dice: float | None = None
    largest_mm: float | None = None
    slices: tuple[int, ...] = ()


@dataclass(frozen=True)
class ChangePicture:
    """A picture of a change.

    Args:
        name: Of its file, within the report's folder.
        caption: What it shows.
        png: The file's content.
    """

    name: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class CaseChange:
    """A case that is in both versions and is not the same.

    Args:
        case: Its code now.
        old_case: Its code before, which may be the same.
        fields: Words about it.
        grid: How the mask's new grid differs from the old one, in words; empty where it does not.
        images: Its images.
        masks: The labels of its mask.
        pictures: Of images and labels.
    """

    case: str
    old_case: str
    fields: tuple[FieldChange, ...] = ()
    grid: str = ""
    images: tuple[ImageChange, ...] = ()
    masks: tuple[MaskChange, ...] = ()
    pictures: tuple[ChangePicture, ...] = ()

    @property
    def is_renamed(self) -> bool:
        """Whether it has another code."""
        return self.case != self.old_case

    @property
    def is_other(self) -> bool:
        """Whether more than its code changed."""
        return bool(self.fields or self.grid or self.images or self.masks)


@dataclass(frozen=True)
class LeftCase:
    """A case that the new version does not hold.

    Args:
        case: Its code.
        is_withdrawn: Whether the new version says that it must not be used any more.
    """

    case: str
    is_withdrawn: bool


@dataclass(frozen=True)
class Version:
    """One of the two releases.

    Args:
        name: The release's name.
        version: Its version.
        digest: Its release digest.
        cases: How many cases it holds.
    """

    name: str
    version: str
    digest: str
    cases: int


@dataclass(frozen=True)
class ReleaseComparison:
    """What changed from one version to another.

    Args:
        old: The one.
        new: The other.
        fields: Words about the release: its licence, protocol, labels and images.
        came: Codes of cases that only the new version holds.
        left: Cases that only the old version holds.
        changed: Cases of both that are not the same, or are called otherwise.
        findings: Files that are not as their version lists them, which were not compared.
    """

    old: Version
    new: Version
    fields: tuple[FieldChange, ...]
    came: tuple[str, ...]
    left: tuple[LeftCase, ...]
    changed: tuple[CaseChange, ...]
    findings: tuple[Finding, ...]

    @property
    def same(self) -> int:
        """How many cases are the same, in all but their code."""
        others = len(self.left) + len(self.findings) + sum(case.is_other for case in self.changed)
        return self.old.cases - others

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; of pictures the names."""
        values = asdict(self)
        for case in values["changed"]:
            case["pictures"] = [{key: each[key] for key in ("name", "caption")} for each in case["pictures"]]
            case["renamed"] = case["case"] != case["old_case"]
        return {**values, "same": self.same, "findings": [finding.as_dict() for finding in self.findings]}
