"""The release's table: one line a case, for people and spreadsheets."""

import csv
import io
from collections.abc import Sequence

from datasets.release.manifest import CaseEntry

COLUMNS = (
    *("case", "patient", "tissue_type", "anatomical_site", "annotated_sequence", "quality_score", "volume_ml"),
    *("spacing_i_mm", "spacing_j_mm", "spacing_k_mm", "unannotated_slices"),
)


def case_table(entries: Sequence[CaseEntry]) -> str:
    """cases.csv.

    Args:
        entries: The release's cases, in their order.

    Returns:
        The table as CSV with a header.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        named = (entry.case, entry.patient, entry.tissue_type, entry.anatomical_site, entry.annotated_sequence)
        measured = (entry.quality_score or "", entry.volume_ml, *entry.spacing_mm, len(entry.unannotated_slices))
        writer.writerow((*named, *measured))
    return stream.getvalue()
