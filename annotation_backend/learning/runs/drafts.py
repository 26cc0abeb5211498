"""What became of drafts: how much of what a model had drawn was changed until the mask was approved.

The draft of a case is what the newest model had drawn on it, without a prompt, before the first save or correction that
the approved mask is made of. Worked out when a training begins, and kept with its run: a page reads no masks.
"""

from datetime import datetime
from typing import Any

import numpy as np

from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.history.models import Event, EventKind
from annotation_backend.inference.models import InitialMask
from annotation_backend.labeling.models import CaseMask
from annotation_backend.learning.models import Snapshot
from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask
from datasets.image.mask import Inside
from datasets.image.packed_mask import unpacked
from training.measures.drafts import unchanged


def draft_outcomes(snapshot: Snapshot) -> list[dict[str, Any]]:
    """One row for each case of a snapshot; a case whose mask cannot be read has none.

    Returns:
        Case and patient by their codes, the model's number (None: no model had drawn), the share of the voxels of
        draft or mask that was changed, and the counted actions where a simulated annotator worked on it.
    """
    masks = CaseMask.objects.select_related("case__study").prefetch_related("annotations", "corrections")
    by_number = masks.in_bulk([entry["mask"] for entry in snapshot.content["cases"]])
    actions = _simulated_actions(snapshot)
    rows = []
    for entry in snapshot.content["cases"]:
        mask = by_number.get(entry["mask"])
        if mask is None or (found := _outcome(mask)) is None:
            continue
        model, changed = found
        row = {"case": entry["case"], "patient": entry["patient"], "model": model, "changed": changed}
        rows.append(row | {"actions": actions.get(entry["case"])})
    return rows


def _outcome(mask: CaseMask) -> tuple[int | None, float] | None:
    """The model that had drawn the draft, and the share that was changed."""
    try:
        found = read_mask(mask.path, labels=mask.label_names)
        model, draft = _draft(mask)
        name = mask.case.protocol.learned_label.name
        share = 1.0 - unchanged(draft, found.label(name), picture_plane(mask.case).slice_axis).voxels
    except (OSError, RejectedInput):
        return None  # the training refuses it, or its file is told of elsewhere
    return model, round(share, 4)


def _draft(mask: CaseMask) -> tuple[int | None, Inside]:
    """What the newest model had drawn before anybody saved or corrected; nothing where none had."""
    plane = picture_plane(mask.case)
    draft = np.zeros(plane.grid.shape, np.bool_)
    before = _first_work(mask)
    rows = InitialMask.objects.filter(case=mask.case_id, drawn__lt=before) if before else InitialMask.objects.none()
    newest = rows.order_by("drawn").values_list("model", flat=True).last()
    for index, bits in rows.filter(model=newest).values_list("slice_index", "bits"):
        if bits:
            plane.from_picture(unpacked(bytes(bits), plane.shape), into=draft, index=index)
    return newest, draft


def _first_work(mask: CaseMask) -> datetime | None:
    moments = [save.saved_at for save in mask.annotations.all()]
    return min([*moments, *(correction.created for correction in mask.corrections.all())], default=None)


def _simulated_actions(snapshot: Snapshot) -> dict[str, int]:
    """Actions of simulated annotators by the case's code; the newest counts."""
    events = Event.objects.filter(study=snapshot.study_id, kind=EventKind.SIMULATED, case__code__in=snapshot.cases)
    rows = events.order_by("pk").values_list("case__code", "detail")
    return {code: int(detail["actions"]) for code, detail in rows if "actions" in detail}
