"""The masks that a review page can lay over a case's images, as a list of values; whoever has more of them adds theirs.

Each has an address that gives its label map as NIfTI on the case's grid, so that the viewer knows nothing of where a
mask came from. How unsure a model is comes the same way, as levels instead of labels.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.inference.models import InitialMask
from annotation_backend.inference.serving.uncertainty_maps import uncertainty_maps
from annotation_backend.labeling.models import CaseMask
from annotation_backend.registry.models import Model
from annotation_backend.review.viewing.slice_outlines import colour_in
from annotation_backend.stages.hiding import draws_without_models, hidden_readings
from annotation_backend.studies.addresses import page_of
from datasets.study.protocol import Protocol

MOST_FORMER = 8
"""Former versions that the page offers, the newest first."""


class OverlayKind(StrEnum):
    """Whose mask an overlay is; the key that switches it stands in the page's script."""

    COUNTS = "counts"
    FORMER = "former"
    MODEL = "model"
    READER = "reader"
    UNCERTAINTY = "uncertainty"
    """No mask: how unsure a model is, of which the page shows what reaches the values of `UNSURE`."""


@dataclass(frozen=True)
class OverlayLabel:
    """A value of a label map: its name and its colour as ``#rrggbb``."""

    value: int
    name: str
    colour: str


UNSURE = (
    OverlayLabel(64, "from 0.25", "#0ca678"),
    OverlayLabel(128, "from 0.5", "#38d9a9"),
    OverlayLabel(191, "from 0.75", "#96f2d7"),
)
"""Steps of an uncertainty map that are told apart, of 255: by their hatching, and by their colour."""


@dataclass(frozen=True)
class Overlay:
    """A mask that can be laid over a case's images.

    Args:
        key: Tells it from the page's others.
        kind: Whose it is.
        title: For people.
        address: Gives its label map on the case's grid.
        labels: What its values mean.
        is_shown: Whether the page begins with it.
    """

    key: str
    kind: OverlayKind
    title: str
    address: str
    labels: tuple[OverlayLabel, ...]
    is_shown: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the page's script."""
        return asdict(self)


def overlays_of(case: Case, mask: CaseMask | None, *, person: User, is_blind: bool = False) -> list[Overlay]:
    """All masks of a case that its reviewer may compare, the one that counts first; a few queries.

    Args:
        case: With its images.
        mask: The mask that counts, or None.
        person: Who looks.
        is_blind: Whether the reviewer sees no mask but that one: the stage says so.
    """
    counts = [] if mask is None else [_of_mask(mask, OverlayKind.COUNTS, "The mask that counts", is_shown=True)]
    if is_blind:
        return counts
    models, unsure = ([], []) if draws_without_models(person, case) else (_models(case), _uncertainty(case))
    return [*counts, *_former(case, mask), *models, *_readers(case, person), *unsure]


def former_masks(case: Case, mask: CaseMask | None) -> Sequence[CaseMask]:
    """Earlier versions of the case's mask, the newest first; one query."""
    rows = CaseMask.objects.filter(case=case, reading__isnull=True).order_by("-pk")
    others = rows if mask is None else rows.exclude(pk=mask.pk)
    return list(others[:MOST_FORMER])


def _former(case: Case, mask: CaseMask | None) -> list[Overlay]:
    rows = former_masks(case, mask)
    return [_of_mask(row, OverlayKind.FORMER, f"Version of {row.created:%-d %B %Y, %H:%M}", case=case) for row in rows]


def readers_masks(case: Case, person: User) -> dict[str, CaseMask]:
    """The newest mask of each reader who handed theirs in, by seat and stage, without their name; as far as `person`
    may see them."""
    rows = CaseMask.objects.filter(case=case, reading__handed_in_at__isnull=False, reading__row__is_control=False)
    rows = rows.exclude(reading__in=hidden_readings(person, case)).select_related("reading__row")
    return {
        f"Reader {row.reading.seat}, {row.reading.row.stage}": row
        for row in rows.order_by("reading", "pk")
        if row.reading is not None
    }


def _readers(case: Case, person: User) -> list[Overlay]:
    rows = readers_masks(case, person)
    return [_of_mask(row, OverlayKind.READER, title, case=case) for title, row in rows.items()]


def _of_mask(
    mask: CaseMask, kind: OverlayKind, title: str, *, case: Case | None = None, is_shown: bool = False
) -> Overlay:
    case = case or mask.case
    address = f"{page_of(case.study, 'review-mask', mask.pk)}?v={mask.sha256[:16]}"
    return Overlay(f"mask-{mask.pk}", kind, title, address, labels_in(mask, case.protocol), is_shown)


def labels_in(mask: CaseMask, protocol: Protocol) -> tuple[OverlayLabel, ...]:
    """What a mask's values mean, in the protocol's colours."""
    return tuple(OverlayLabel(value, name, colour_in(protocol, name)) for value, name in mask.label_names.items())


def _models(case: Case) -> list[Overlay]:
    """The mask of each model that drew slices of the case before anybody prompted."""
    drew = InitialMask.objects.filter(case=case).exclude(bits=b"").values("model")
    label = case.protocol.learned_label
    meaning = (OverlayLabel(label.value, label.name, label.colour),)
    return [
        Overlay(
            f"model-{model.pk}",
            OverlayKind.MODEL,
            f"The model's: {model}",
            page_of(case.study, "review-model-mask", case.code, model.pk),
            meaning,
        )
        for model in Model.objects.filter(pk__in=drew).order_by("-pk")
    ]


def _uncertainty(case: Case) -> list[Overlay]:
    """How unsure each model is that drew the case, where that was kept; drawn beneath all masks."""
    return [
        Overlay(
            f"unsure-{found.model.pk}",
            OverlayKind.UNCERTAINTY,
            f"How unsure {found.model} is",
            page_of(case.study, "review-uncertainty", case.code, found.model.pk),
            UNSURE,
        )
        for found in (uncertainty_maps(case) if case.picture_plane else ())
    ]
