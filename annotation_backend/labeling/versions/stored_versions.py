"""Versions as they are stored: a save's digest and the masks decoded of it, made once more and compared."""

from collections.abc import Iterator

from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import DECODING, Annotation
from annotation_backend.labeling.saves.save import digest_of_save
from annotation_backend.labeling.versions.decoded_masks import masks_of
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level

REMEDY = "Restore the database from its backup."


def damaged_versions(case: Case) -> Iterator[Finding]:
    """Damaged saves of a case; one is read at a time, since each may hold megabytes."""
    for key in Annotation.objects.filter(task__case=case).values_list("pk", flat=True):
        save = Annotation.objects.select_related("task__case", "drawn").get(pk=key)
        code = _wrong_with(save)
        if code:
            subject = f"{case.code} slice {save.task.slice_index} version {save.number}"
            message = "The stored save, or the masks decoded of it, were changed since it came."
            yield Finding(Level.ERROR, code, message, REMEDY, subject)


def _wrong_with(save: Annotation) -> str:
    try:
        if digest_of_save(save.raw, saved_at=save.saved_at) != save.content_sha256:
            return "version-changed"
        stored = getattr(save, "drawn", None)
        if stored is None or stored.decoding != DECODING:
            return ""  # it is decoded anew when it is asked for
        again = masks_of(save, height=stored.height, width=stored.width)
    except RejectedInput as error:
        return error.code
    return "" if (again.areas, again.bits) == (stored.areas, bytes(stored.bits)) else "version-masks-changed"
