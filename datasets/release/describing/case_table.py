"""The release's tables: one line a case, one line an image or mask, and one line a patient for BIDS."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from datasets.release.manifest import CaseEntry
from datasets.release.manifest_parts import FileEntry
from datasets.release.paths import MASK

NAMED = ("case", "patient", "tissue_type", "anatomical_site", "drawn_role", "missing_images", "quality_score", "fold")
MEASURED = ("spacing_i_mm", "spacing_j_mm", "spacing_k_mm", "unannotated_slices")
IMAGE_COLUMNS = ("case", "patient", "fold", "role", "path", "bytes", "sha256")


def volume_column(label: str) -> str:
    """The column of a label's volumes."""
    return f"volume_{label}_ml"


def case_table(entries: Sequence[CaseEntry], labels: Sequence[str], folds: Mapping[str, int]) -> bytes:
    """cases.csv.

    Args:
        entries: The release's cases, in their order.
        labels: The names of its labels; each has a column of volumes.
        folds: The number of each case's suggested fold.
    """
    heads = (*NAMED, "volume_ml", *map(volume_column, labels), *MEASURED)
    return _csv(heads, (_case_row(entry, labels, folds) for entry in entries))


def _case_row(entry: CaseEntry, labels: Sequence[str], folds: Mapping[str, int]) -> tuple[object, ...]:
    named = (entry.case, entry.patient, entry.tissue_type, entry.anatomical_site, entry.drawn_role)
    images = (" ".join(entry.missing_images), entry.quality_score or "", folds[entry.case])
    volumes = (entry.volume_ml, *(entry.label_volumes_ml[name] for name in labels))
    return (*named, *images, *volumes, *entry.spacing_mm, len(entry.unannotated_slices))


def image_table(entries: Sequence[CaseEntry], files: Iterable[FileEntry], folds: Mapping[str, int]) -> bytes:
    """images.csv: every image and mask with its digest.

    Args:
        entries: The release's cases, in their order.
        files: Entries of the cases' files.
        folds: The number of each case's suggested fold.
    """
    return _csv(IMAGE_COLUMNS, _image_rows(entries, {file.path: file for file in files}, folds))


def _image_rows(
    entries: Sequence[CaseEntry], files: Mapping[str, FileEntry], folds: Mapping[str, int]
) -> Iterator[tuple[object, ...]]:
    for entry in entries:
        for role, path in (*entry.images.items(), (MASK, entry.mask)):
            file = files[path]
            yield entry.case, entry.patient, folds[entry.case], role, path, file.bytes, file.sha256


def patient_table(entries: Sequence[CaseEntry]) -> bytes:
    """participants.tsv: the patients and how many cases each has."""
    counts = sorted(Counter(entry.patient for entry in entries).items())
    return ("participant_id\tcases\n" + "".join(f"{patient}\t{count}\n" for patient, count in counts)).encode()


def _csv(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    return stream.getvalue().encode()
