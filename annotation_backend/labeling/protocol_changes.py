"""What people drew, and what was imported, holds labels of a protocol, which may not be taken out of it."""

from collections.abc import Iterator
from typing import Any

from annotation_backend.cases.models import ImportedMask
from annotation_backend.cases.registration.imported import label_meant
from annotation_backend.labeling.models import Annotation, VersionMasks
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.study.protocol import Label, Protocol


def require_labels_kept(study: Study, protocol: Protocol) -> None:
    """Refuses a protocol without a label that was drawn or imported, or with another value of it.

    Saves of every state count, since each can be restored; a mask holds no label that no save holds.

    Raises:
        RejectedInput: ``protocol-label-used``, also where words would give an imported mask another label.
    """
    kept = {label.name: label.value for label in protocol.labels}
    for label in study.protocol.labels:
        if kept.get(label.name) == label.value:
            continue
        drawn, imported = _saves_with(study, label.name), _imported_as(study, label)
        if drawn or imported:
            change = f"has the value {kept[label.name]}" if label.name in kept else "is not there"
            raise RejectedInput(
                "protocol-label-used",
                f"{label.name} ({label.value}) was drawn in {drawn} save(s) and is in {imported} imported mask(s); in "
                f"the document it {change}.",
                remedy="Keep the label's name and value and add others beside it, or make a study of its own for the "
                "other protocol (`manage.py create_study`).",
            )
    _require_meaning_kept(study, protocol)


def _require_meaning_kept(study: Study, protocol: Protocol) -> None:
    """Refuses other imported names by which a mask that came with the studies would be another label."""
    names = ImportedMask.objects.filter(series__case__study=study, series__case__is_rehearsal=False)
    pairs = [
        (label_meant(name, study.protocol.labels), label_meant(name, protocol.labels))
        for name in names.values_list("roi_name", flat=True)
    ]
    moved = sum(1 for was, now in pairs if was is not None and (now is None or now.name != was.name))
    if moved:
        raise RejectedInput(
            "protocol-label-used",
            f"{moved} imported mask(s) are another label by the imported_names of the document than they were.",
            remedy="Leave these words with their label and add others beside them, or make a study of its own for the "
            "other protocol (`manage.py create_study`).",
        )


def _saves_with(study: Study, name: str) -> int:
    """How many saves hold a label, decoded or not."""
    saves = Annotation.objects.filter(task__case__study=study, task__case__is_rehearsal=False)
    decoded = VersionMasks.objects.filter(annotation__in=saves, areas__has_key=name).count()
    waiting = saves.filter(drawn__isnull=True).values_list("raw", flat=True)
    return decoded + sum(name in _labels_in(raw) for raw in waiting.iterator(chunk_size=1))


def _labels_in(raw: dict[str, Any]) -> Iterator[object]:
    """Labels of the regions of a save, as Label Studio sent it."""
    regions = raw.get("result")
    for region in regions if isinstance(regions, list) else []:
        value = region.get("value") if isinstance(region, dict) else None
        for key, labels in value.items() if isinstance(value, dict) else []:
            if str(key).endswith("labels") and isinstance(labels, list):
                yield from labels


def _imported_as(study: Study, label: Label) -> int:
    """How many masks that came with the studies mean a label by their name."""
    names = ImportedMask.objects.filter(series__case__study=study, series__case__is_rehearsal=False)
    labels = study.protocol.labels
    return sum(label_meant(name, labels) == label for name in names.values_list("roi_name", flat=True))
