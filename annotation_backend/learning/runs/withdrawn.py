"""Patients who were withdrawn after a model learned from them, named for every snapshot and model that holds them.

A patient is withdrawn by the exclusion of their cases. What was frozen stays as it was: a snapshot says what a model
learned from, and that cannot be unlearned. It is said wherever the snapshot or the model is shown.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from annotation_backend.cases.models import Exclusion
from annotation_backend.learning.models import Snapshot
from annotation_backend.registry.models import Model


def withdrawn_of(cases: Sequence[str]) -> dict[str, datetime]:
    """Those of these cases that are excluded now, and since when; one query."""
    rows = Exclusion.objects.filter(case__code__in=list(cases), ended__isnull=True)
    return dict(rows.values_list("case__code", "created"))


def withdrawn_in(snapshots: Iterable[Snapshot]) -> dict[int, list[str]]:
    """The withdrawn cases of each snapshot, by its key, for those that hold any; one query for all."""
    held = {snapshot.pk: snapshot.cases for snapshot in snapshots}
    gone = withdrawn_of(sorted({case for cases in held.values() for case in cases}))
    found = {key: [case for case in cases if case in gone] for key, cases in held.items()}
    return {key: cases for key, cases in found.items() if cases}


def snapshots_of(models: Iterable[Model]) -> dict[int, Snapshot]:
    """The snapshot that each model learned from, by the model's key, where it is one of ours; one query."""
    own = [model for model in models if model.snapshot_digest]
    rows = Snapshot.objects.filter(digest__in=[model.snapshot_digest for model in own])
    known = {(row.study_id, row.digest): row for row in rows}
    found = {model.pk: known.get((model.study_id, model.snapshot_digest)) for model in own if model.study_id}
    return {key: snapshot for key, snapshot in found.items() if snapshot is not None}


def withdrawn_by_model(models: Sequence[Model]) -> dict[int, list[str]]:
    """The withdrawn cases that each model learned from, by its key, for those that did; two queries."""
    snapshots = snapshots_of(models)
    gone = withdrawn_in(snapshots.values())
    return {key: gone[snapshot.pk] for key, snapshot in snapshots.items() if snapshot.pk in gone}
