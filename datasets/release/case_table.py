"""The release's table: one line a case, for people and spreadsheets."""

import csv
import io
from collections.abc import Sequence

from datasets.release.manifest import CaseEntry

_NAMED = ("case", "patient", "tissue_type", "anatomical_site", "drawn_role", "missing_images", "quality_score")
_MEASURED = ("spacing_i_mm", "spacing_j_mm", "spacing_k_mm", "unannotated_slices")


def case_table(entries: Sequence[CaseEntry], labels: Sequence[str]) -> str:
    """cases.csv.

    Args:
        entries: The release's cases, in their order.
        labels: The names of its labels; each has a column of volumes.

    Returns:
        The table as CSV with a header.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow((*_NAMED, "volume_ml", *(f"volume_{name}_ml" for name in labels), *_MEASURED))
    for entry in entries:
        named = (entry.case, entry.patient, entry.tissue_type, entry.anatomical_site, entry.drawn_role)
        images = (" ".join(entry.missing_images), entry.quality_score or "")
        volumes = (entry.volume_ml, *(entry.label_volumes_ml[name] for name in labels))
        writer.writerow((*named, *images, *volumes, *entry.spacing_mm, len(entry.unannotated_slices)))
    return stream.getvalue()
