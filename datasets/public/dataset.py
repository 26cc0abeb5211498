"""A published dataset as a value: its cases, and of each the images, the masks and what its tables say.

Names of patients, images and labels are the publisher's, who may be anybody: they are free text, and never to be shown
unless the layout says that they are its own words (`datasets.public.layout.Layout.has_own_names`). Paths are below the
dataset's folder, with ``/``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from datasets.finding import Finding, Level


class FoundBy(Enum):
    """How a scan knows which file is which."""

    LIST = auto()
    """The dataset lists its files: what is not listed is nothing of it."""

    NAME = auto()
    """The files' own names say it, as BIDS has them."""

    HEADER = auto()
    """The DICOM headers say it."""


@dataclass(frozen=True)
class SourceImage:
    """One image of a case.

    Args:
        name: What the source calls it: a channel's name, a suffix, ``CT``.
        path: Of its file; of DICOM and of slices, the folder that they lie in.
        kind: The word of its kind (`datasets.study.image_kind`); empty where only its name says it.
        channel: Which channel of a 4D file, from 0; None for a file of one volume.
        sha256: Of the file, where the publisher states it; else empty.
    """

    name: str = field(repr=False)
    path: str = field(repr=False)
    kind: str = ""
    channel: int | None = None
    sha256: str = ""


@dataclass(frozen=True)
class SourceMask:
    """One file with masks.

    Args:
        path: Of the file; of slices, the folder that they lie in.
        image: Name of the image that it was drawn on; empty where any of its case may be.
        labels: Name of each value of a volume file; an empty name is none. {} for DICOM.
        regions: Names of the regions of a DICOM structure set.
        may_be_empty: Whether the publisher says that it is rightly empty.
        sha256: Of the file, where the publisher states it; else empty.
    """

    path: str = field(repr=False)
    image: str = field(default="", repr=False)
    labels: Mapping[int, str] = field(default_factory=dict, repr=False)
    regions: tuple[str, ...] = field(default=(), repr=False)
    may_be_empty: bool = False
    sha256: str = ""


@dataclass(frozen=True)
class SourceCase:
    """One case.

    Args:
        patient: The patient's name in the source, with what tells them from those of other datasets.
        case: The case's name in the source.
        images: Each with a name of its own.
        masks: Its masks.
        tissue_type: A word of `datasets.public.tissue_words`; empty where the source says none.
        anatomical_site: The source's words; empty where it has none.
        vendor: Of the scanner; empty where the source does not say it, or the headers do.
        visit: Where the source tells several cases of a patient apart beyond doubt: which of them it is, as file names
            say it where a scan goes by these (`FoundBy.NAME`); else empty.
    """

    patient: str = field(repr=False)
    case: str = field(repr=False)
    images: tuple[SourceImage, ...]
    masks: tuple[SourceMask, ...] = ()
    tissue_type: str = ""
    anatomical_site: str = field(default="", repr=False)
    vendor: str = ""
    visit: str = field(default="", repr=False)


@dataclass(frozen=True)
class Publication:
    """Whose a dataset is.

    Args:
        title: What it is called.
        licence: Its licence's name, or where it is written; empty where the source does not say.
        citation: What has to be cited; empty where the source does not say.
    """

    title: str
    licence: str = ""
    citation: str = ""


@dataclass(frozen=True)
class SourceDataset:
    """All that a layout says of a folder.

    Args:
        publication: Whose it is.
        cases: In the order of their first files.
        findings: Files that are missing, and what else somebody has to know; subjects by number (`FileTree.subject`).
        found_by: How a scan knows the files.
        channels: Names of its images in the order in which it numbers them from 0; () where it numbers none.
        lone_masks: Paths of masks that have no image.
        former_patients: Patient to the name that they had in earlier versions, where that was another.
        is_case_table_its_own: Whether a `cases.csv` at its top is the publisher's, and no table of ours about it.
    """

    publication: Publication
    cases: tuple[SourceCase, ...]
    findings: tuple[Finding, ...] = ()
    found_by: FoundBy = FoundBy.LIST
    channels: tuple[str, ...] = field(default=(), repr=False)
    lone_masks: tuple[str, ...] = field(default=(), repr=False)
    former_patients: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_case_table_its_own: bool = False

    @property
    def image_names(self) -> tuple[str, ...]:
        """Every name of an image once, channels by their numbers; a channel's name may stand there twice."""
        return self.channels or tuple(dict.fromkeys(image.name for image in self.images))

    @property
    def images(self) -> Iterator[SourceImage]:
        """Every image."""
        return (image for case in self.cases for image in case.images)

    @property
    def masks(self) -> Iterator[SourceMask]:
        """Every file with masks."""
        return (mask for case in self.cases for mask in case.masks)


def image_missing(names: str, subject: str) -> Finding:
    """The finding that a case lacks images (``source-image-missing``).

    Args:
        names: Which, in the layout's own words.
        subject: What there is of the case.
    """
    message = f"A case of the dataset lacks its {names}."
    remedy = "Add the file, or go on without it where the protocol does not require that image."
    return Finding(Level.WARNING, "source-image-missing", message, remedy, subject)


def mask_without_image(subject: str) -> Finding:
    """The finding that a mask has no image (``source-mask-without-image``)."""
    message = "A mask of the dataset has no image; it is left out."
    return Finding(Level.WARNING, "source-mask-without-image", message, "Add the image of this case.", subject)


def file_twice(subject: str) -> Finding:
    """The finding that two files would be one image or mask (``source-file-twice``)."""
    return Finding(
        Level.ERROR,
        "source-file-twice",
        "Several files are called as one image or mask of one case; they are left out.",
        "Give the folder that the publisher distributes, without copies that somebody made of it.",
        subject,
    )
