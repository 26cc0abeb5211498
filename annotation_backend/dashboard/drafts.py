"""Share of models' drafts that people saved as they were.

A draft is the newest mask that a model drew of a slice without any prompt, before the slice was first saved. The first
confirmed save of the slice is compared with it pixel by pixel: by the number of pixels, and where that is the same by
the digest that was kept of the prediction. What became of drafts that were degraded on purpose, and of control cases,
is another question (`readers.controls`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from django.db.models import Q

from annotation_backend.dashboard.tables import Table
from annotation_backend.inference.models import Prediction
from annotation_backend.labeling.models import Annotation, VersionMasks
from annotation_backend.labeling.versions.decoded_masks import mask_in
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import names_in
from datasets.files import sha256_of_bytes
from training.prompts.prompt import Prompts
from training.prompts.prompt_document import as_document

_AT_ONCE = 2000


def draft_table(study: Study) -> Table:
    """Drafts that were saved as they were, by person and in all; three queries, and one for each save of equal size."""
    label = study.protocol.learned_label.name
    drafts: Counter[int | None] = Counter()
    kept: Counter[int | None] = Counter()
    for person, is_unchanged in _outcomes(study, label):
        drafts[person] += 1
        kept[person] += is_unchanged
    names = names_in(study)
    rows: list[list[Any]] = [
        [
            names.get(person, f"Person {person}") if person else "unknown",
            drafts[person],
            kept[person],
            _share(kept[person], drafts[person]),
        ]
        for person in sorted(drafts, key=lambda one: one or 0)
    ]
    total, same = sum(drafts.values()), sum(kept.values())
    return Table(
        "drafts",
        "Drafts of models saved unchanged",
        ("Person", "Slices with a draft", "Saved unchanged", "Share (%)"),
        [*rows, ["All", total, same, _share(same, total)]],
        f"First saves of slices on which a model had drawn {label} without a prompt, compared pixel by pixel.",
        plot="bar",
        plotted=("Share (%)",),
    )


def _share(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _outcomes(study: Study, label: str) -> Iterator[tuple[int | None, bool]]:
    """For each slice that was saved after a model had drawn on it: who saved it first, and whether as it was."""
    drawn: dict[tuple[int, int], list[tuple[Any, int, str]]] = defaultdict(list)
    unprompted = Prediction.objects.filter(case__study=study, prompts=as_document(Prompts())).order_by("created", "pk")
    fields = ("case", "slice_index", "created", "pixels", "mask_sha256")
    for case, index, created, pixels, digest in unprompted.values_list(*fields).iterator(_AT_ONCE):
        drawn[case, index].append((created, pixels, digest))
    saves = Annotation.objects.confirmed().filter(project__study=study, was_cancelled=False, drawn__isnull=False)
    saves = saves.filter(Q(reading__isnull=True) | Q(reading__row__is_control=False))
    rows = saves.order_by("task", "saved_at", "pk").values_list(
        "task", "task__case", "task__slice_index", "saved_at", "author", "drawn", "drawn__areas"
    )
    last = None
    for task, case, index, saved_at, person, masks, areas in rows.iterator(_AT_ONCE):
        shown = [one for one in drawn.get((case, index), ()) if one[0] < saved_at] if task != last else []
        last = task
        if shown:
            _, pixels, digest = shown[-1]
            yield person, areas.get(label, 0) == pixels and _is_same(masks, label, digest)


def _is_same(masks: int, label: str, digest: str) -> bool:
    mask = mask_in(VersionMasks.objects.get(pk=masks), label)
    return sha256_of_bytes(np.packbits(mask).tobytes()) == digest
