"""What came of a control case: is the draft unchanged, is its fault gone, how near is the hand-in to the known mask."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from django.db import transaction
from django.utils.timezone import now

from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import whole_file
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.stored_masks import mask_file
from annotation_backend.readers.controls.drafts import draft_mask, known_mask, on_slices
from annotation_backend.readers.models import ControlReading, Pause
from datasets.formats.nifti import read_mask
from datasets.image.mask import Inside
from datasets.image.volume import Grid
from training.measures.drafts import corrected_share, unchanged
from training.measures.metrics import dice
from training.measures.places import BY_CORNERS, numbered_parts, parts_of

CORRECTED = 0.5
"""Share of a planted fault's voxels that have to be right for it to count as corrected."""

PAUSED_AFTER = 3
"""So many of a person's last control cases are averaged for a pause; with fewer nobody is paused."""

MOST_PLACES = 20

MISSING, TOO_MUCH = "missing", "too much"


def score(reading: ControlReading) -> ControlReading:
    """Compares what a person handed in with the known mask and the draft, and keeps the figures; safe to run twice.

    Raises:
        RejectedInput: A mask's file is damaged.
    """
    control = reading.control
    case, label = control.case, control.case.protocol.learned_label.name
    known, draft = known_mask(control), draft_mask(reading)
    axis = picture_plane(case).slice_axis
    about = on_slices(known.grid.shape, axis, reading.slices)
    truth = known.label(label) & about
    made = assemble(case, reading.reading)
    final = np.zeros_like(truth)
    if made is not None:
        final = read_mask(whole_file(mask_file(made)), labels=made.label_names).label(label) & about
    reading.mask, reading.dice = made, dice(final, truth)
    if draft is not None:
        shown = draft.label(label) & about
        reading.is_unchanged = unchanged(shown, final, axis).is_whole
        share = corrected_share(shown, shown != truth, final, truth)
        reading.is_corrected = None if share is None else share > CORRECTED
    reading.places = _places(final, truth, known.grid, axis)
    reading.scored_at = now()
    reading.save()
    return reading


def pause_if_due(reading: ControlReading) -> Pause | None:
    """Pauses a person whose last control cases of a stage went worse than its protocol allows; None otherwise."""
    control, person = reading.control, reading.reading.person
    stage = reading.reading.row.rules
    if stage is None or not stage.pause_below:
        return None
    with transaction.atomic():
        pauses = Pause.objects.filter(study=control.case.study, stage=control.stage, person=person)
        lifted = pauses.exclude(lifted_at=None).order_by("lifted_at").last()
        last = ControlReading.objects.filter(
            control__case__study=control.case.study,
            control__stage=control.stage,
            reading__person=person,
            scored_at__isnull=False,
        )
        if lifted is not None:
            last = last.filter(reading__handed_in_at__gt=lifted.lifted_at)
        found = list(last.order_by("-reading__handed_in_at").values_list("dice", flat=True)[:PAUSED_AFTER])
        mean = float(np.mean([one or 0.0 for one in found])) if found else 1.0
        if len(found) < PAUSED_AFTER or mean >= stage.pause_below:
            return None
        return pauses.get_or_create(
            study=control.case.study, stage=control.stage, person=person, lifted_at=None, defaults={"mean_dice": mean}
        )[0]


def _places(final: Inside, truth: Inside, grid: Grid, axis: int) -> list[dict[str, Any]]:
    """Where a hand-in differs from the known mask, worst first."""

    def _found() -> Iterator[dict[str, Any]]:
        for what, wrong in ((MISSING, truth & ~final), (TOO_MUCH, final & ~truth)):
            for part in parts_of(numbered_parts(wrong, BY_CORNERS), grid, axis):
                yield {
                    "what": what,
                    "slice": part.largest_slice,
                    "first_slice": part.first_slice,
                    "last_slice": part.last_slice,
                    "volume_mm3": part.volume_mm3,
                    "voxel": list(part.voxel),
                }

    return sorted(_found(), key=lambda place: -float(place["volume_mm3"]))[:MOST_PLACES]
