"""Compares a known case's imported masks with today's meaning of their values, to read them again or ask about them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from annotation_backend.cases.models import Case, ImportedMask
from annotation_backend.cases.workers.pairs import known_words
from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.finding import Finding, Level
from datasets.formats.nifti import read_mask
from datasets.labels.label_values import PLAIN_VALUES

if TYPE_CHECKING:
    from curation.pairing.pairing import PatientImages
    from curation.scanning.found_series import FoundMask

_REGION = "region"


@dataclass(frozen=True)
class KnownMasks:
    """Result of comparing a known case's masks with their files.

    Args:
        sound: Digests of the files that were read with the meaning that their values have today.
        findings: Mask files that were read although nobody had said what their values mean.
    """

    sound: frozenset[str]
    findings: tuple[Finding, ...]


def known_masks(rows: Sequence[ImportedMask], pair: "PatientImages", words: frozenset[str]) -> KnownMasks:
    """Compares a known case's masks with the files of today.

    Args:
        rows: The case's masks.
        pair: The files.
        words: Words of regions' names that are kept.
    """
    sound = {row.source_sha256 for row in rows}
    findings: list[Finding] = []
    for found in (mask for _, mask in pair.masks if mask.is_volume_file):
        own = [row for row in rows if row.source_sha256 == _digest(found)]
        if own and not found.labels:
            findings.append(_unsaid(pair, found))
        elif own and not _is_plain(found) and _stored(own) != _meant(found, words):
            sound -= {own[0].source_sha256}
    return KnownMasks(frozenset(sound), tuple(findings))


def forget(case: Case, sources: Iterable[str]) -> None:
    """Deletes the masks that were read from these files before; called in the transaction that stores the new ones."""
    for row in ImportedMask.objects.filter(series__case=case, source_sha256__in=set(sources)).select_related("series"):
        row.path.unlink(missing_ok=True)
        row.delete()


def _digest(found: "FoundMask") -> str:
    """Empty for a file that cannot be read, which is a finding where it is used."""
    try:
        return sha256_of_file(found.path)
    except (OSError, RejectedInput):
        return ""


def _is_plain(found: "FoundMask") -> bool:
    """Whether the file holds one value that nobody had to explain: it was never read otherwise."""
    return len(found.labels) == 1 and next(iter(found.labels)) in PLAIN_VALUES


def _stored(rows: Sequence[ImportedMask]) -> Counter[tuple[str, int]]:
    """Regions with their voxels, which stay as many whatever the grid. A number behind a name only tells two apart."""
    return Counter((re.sub(r"_\d+$", "", row.roi_name), _voxels(row)) for row in rows)


def _voxels(row: ImportedMask) -> int:
    return int(np.count_nonzero(read_mask(row.path).data)) if row.path.exists() else 0


def _meant(found: "FoundMask", words: frozenset[str]) -> Counter[tuple[str, int]]:
    from datasets.formats.volume_file import read_mask as read_mask_file

    try:
        values, counts = np.unique(read_mask_file(found.path).data, return_counts=True)
    except RejectedInput:
        return Counter()
    voxels = {int(value): int(count) for value, count in zip(values, counts, strict=True) if value}
    regions = found.regions_of(voxels)
    return Counter((known_words(name, words) or _REGION, sum(voxels[value] for value in own)) for name, own in regions)


def _unsaid(pair: "PatientImages", found: "FoundMask") -> Finding:
    return Finding(
        Level.WARNING,
        "mask-meaning-unsaid",
        "Nobody has said what the values of this mask mean; an earlier ingest took its smallest value as the tumour.",
        "Say what the values mean with --label-values, such as --label-values tumour=2,oedema=1, and ingest again.",
        f"{pair.reference}, {found.reference}",
    )
