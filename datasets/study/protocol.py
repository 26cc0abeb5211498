"""Protocol: the design of a study as a value: which images a case has, what is drawn on which of them, and by whom.

Everything that serves a study reads its protocol: the choice of series, registration, the interface of annotators,
pages, commands and releases. `datasets.study.protocol_document` reads it from a TOML document.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from datasets.files import canonical_json, sha256_of_bytes
from datasets.study.stage import DEFAULT_STAGES, Stage

UNKNOWN_TISSUE = "unknown"
"""The tissue type of a case of which nobody has said it; every protocol has it."""


class Modality(StrEnum):
    """The machine that made an image, in DICOM's words."""

    MR = "MR"
    CT = "CT"
    PET = "PT"


class Weighting(StrEnum):
    """The weighting of an MR image."""

    T1 = "T1"
    T2 = "T2"
    PROTON_DENSITY = "proton density"
    T2_STAR = "T2*"
    FLAIR = "FLAIR"


class WantedPlane(StrEnum):
    """How an image's slices have to lie."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"
    ANY = "any"


class Wanted(StrEnum):
    """What a protocol wants of a property that an image may have (fat suppression, a contrast agent)."""

    REQUIRE = "require"
    PREFER = "prefer"
    ALLOW = "allow"
    AVOID = "avoid"
    REFUSE = "refuse"


class PlacedBy(StrEnum):
    """How an image finds its place on the drawn one."""

    SEARCH = "search"
    """Its motion is searched, because the patient moved between the two."""

    HEADERS = "headers"
    """The scanner's coordinates are believed, as between the PET and the CT of one examination; only checked."""


@dataclass(frozen=True)
class ImageRole:
    """What an image is in a case, and which series may become it.

    Args:
        name: Small letters, digits and underscores; files, columns, addresses and records carry it (``t1``, ``pet``).
        title: For people (``fat-suppressed T2``).
        modality: The machine.
        weighting: Of an MR image; None where any will do, and for other modalities.
        fat_suppression: What is wanted of fat suppression, of an MR image.
        contrast: What is wanted of a contrast agent.
        plane: How its slices lie.
        is_required: Whether a patient without it has no case; an optional one that is missing is only noted.
        placed_by: How it finds its place on the drawn image.
        aliases: Words of file names that say that an image is this one, in small letters (``t1w``, ``flair``).
    """

    name: str
    title: str
    modality: Modality
    weighting: Weighting | None = None
    fat_suppression: Wanted = Wanted.ALLOW
    contrast: Wanted = Wanted.ALLOW
    plane: WantedPlane = WantedPlane.AXIAL
    is_required: bool = True
    placed_by: PlacedBy = PlacedBy.SEARCH
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Label:
    """A value of a mask and its meaning.

    Args:
        value: 1 to 255.
        name: As people see it (``Tumour``).
        colour: ``#rrggbb``.
        key: The digit that chooses it in the editor; empty for none.
        is_prompted: Whether prompts and models draw it; others are drawn by hand.
        is_offered: Whether annotators are offered it unless a study's settings say otherwise.
        imported_names: Words in the names of imported regions that mean it, the surest first, in small letters.
        imported_values: Values of imported label maps that mean it where the file names none.
    """

    value: int
    name: str
    colour: str
    key: str = ""
    is_prompted: bool = False
    is_offered: bool = True
    imported_names: tuple[str, ...] = ()
    imported_values: tuple[int, ...] = ()


@dataclass(frozen=True)
class Protocol:
    """The design of a study.

    It is sound by construction where `datasets.study.protocol_document` read it: names and values are unique, each
    drawn image is a required one, and there is a label.

    Args:
        name: Kebab-case.
        version: A later version of the same protocol has a larger number.
        title: For people, one line.
        images: In the order in which they are shown.
        drawn: Name of the image that annotators draw on.
        labels: In the order in which they are shown; where two are drawn on one voxel, the earlier one counts.
        drawn_by_tissue_type: Tissue type to the image that is drawn on instead.
        tissue_types: Words for the tissue of origin, without `UNKNOWN_TISSUE`.
        sites: Words of anatomical sites beside the built-in ones, in small letters.
        stages: In their order.
    """

    name: str
    version: int
    title: str
    images: tuple[ImageRole, ...]
    drawn: str
    labels: tuple[Label, ...]
    drawn_by_tissue_type: Mapping[str, str] = field(default_factory=dict)
    tissue_types: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()

    @property
    def roles(self) -> tuple[str, ...]:
        """The images' names, in their order."""
        return tuple(image.name for image in self.images)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the images without which there is no case."""
        return tuple(image.name for image in self.images if image.is_required)

    @property
    def prompted_labels(self) -> tuple[Label, ...]:
        """The labels that prompts and models draw."""
        return tuple(label for label in self.labels if label.is_prompted)

    @property
    def prompted_label(self) -> Label | None:
        """The label that points and boxes on a picture mean: the first of the prompted ones; None where all are drawn
        by hand."""
        return next(iter(self.prompted_labels), None)

    @property
    def learned_label(self) -> Label:
        """The label that models learn: the one that they draw, or the first where all are drawn by hand."""
        return self.prompted_label or self.labels[0]

    @property
    def label_names(self) -> dict[int, str]:
        """Name of each value, as a `Mask` carries it."""
        return {label.value: label.name for label in self.labels}

    @property
    def drawn_roles(self) -> tuple[str, ...]:
        """Every image that is drawn on in some case, the usual one first."""
        return tuple(dict.fromkeys([self.drawn, *self.drawn_by_tissue_type.values()]))

    def drawn_role(self, tissue_type: str) -> str:
        """Name of the image that annotators draw on in a case of a tissue type."""
        return self.drawn_by_tissue_type.get(tissue_type, self.drawn)

    def image(self, role: str) -> ImageRole:
        """The image of a name.

        Raises:
            KeyError: The protocol has none.
        """
        return {image.name: image for image in self.images}[role]

    def label(self, name: str) -> Label:
        """The label of a name.

        Raises:
            KeyError: The protocol has none.
        """
        return {label.name: label for label in self.labels}[name]

    @property
    def steps(self) -> tuple[Stage, ...]:
        """The stages that a case goes through: those of the document, or drawing and review where it names none."""
        return self.stages or DEFAULT_STAGES

    def stage(self, name: str) -> Stage:
        """The stage of a name.

        Raises:
            KeyError: The protocol has none.
        """
        return {stage.name: stage for stage in self.steps}[name]

    def as_document(self) -> dict[str, Any]:
        """All of it as plain values for JSON."""
        stages = [stage.as_document() for stage in self.stages]
        return {**asdict(self), "drawn_by_tissue_type": dict(self.drawn_by_tissue_type), "stages": stages}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over `as_document`: the same for documents that differ in comments and order of keys only."""
        return sha256_of_bytes(canonical_json(self.as_document()))
