"""The readings that an adjudication decides between: masks by seat, and the digest of all that the page shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from annotation_backend.cases.models import Case
from annotation_backend.cases.stored.digests import whole_file
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.stored_masks import mask_file
from annotation_backend.readers.agreement.pairs import handed_in_masks
from annotation_backend.stages.flow import open_rows
from annotation_backend.stages.models import CaseStage, Reading
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes
from datasets.formats.nifti import read_mask
from datasets.image.mask import Inside, Mask
from datasets.study.stage import StageWork

MASKS_IN_MEMORY = 8


@dataclass(frozen=True)
class Readings:
    """What an adjudication decides between.

    Args:
        row: The adjudication's stage.
        masks: Each reader's mask, by seat.
        readings: The same readers' records, by seat.
    """

    row: CaseStage
    masks: Mapping[int, CaseMask]
    readings: Mapping[int, Reading]

    @property
    def case(self) -> Case:
        """Whose masks they are."""
        return self.row.case

    @property
    def masks_sha256(self) -> str:
        """Digest of the masks, their readers' seats and the images that they lie on."""
        masks = [[seat, mask.sha256, mask.inputs_sha256] for seat, mask in sorted(self.masks.items())]
        return sha256_of_bytes(canonical_json([self.case.images_sha256, masks]))

    @property
    def names(self) -> dict[int, str]:
        """What each reader is called among others, by seat: nothing that says who it is."""
        return {seat: f"Reader {seat}" for seat in sorted(self.masks)}

    def volumes(self) -> dict[int, Mask]:
        """Each reader's mask as a volume, by seat.

        Raises:
            DamagedFile: A file is not the one that was written.
        """
        return {seat: volume_of(mask) for seat, mask in sorted(self.masks.items())}

    def inside(self, label: str) -> dict[str, Inside]:
        """Each reader's voxels of a label, by the seat as text."""
        return {str(seat): mask.label(label) for seat, mask in self.volumes().items()}


def open_adjudication(case: Case) -> CaseStage | None:
    """The open stage of a case in which somebody decides between readers; None where it waits for none."""
    return next((row for row in open_rows(case) if row.rules and row.rules.does is StageWork.ADJUDICATE), None)


def readings_for(row: CaseStage) -> Readings:
    """The readings that an adjudication decides between: of the newest round of each stage before it.

    Raises:
        RejectedInput: Fewer than two readers drew anything (``too-few-readers``).
    """
    stage = row.rules
    masks: dict[int, CaseMask] = {}
    readings: dict[int, Reading] = {}
    for name in stage.after if stage else ():
        last = (
            CaseStage.objects.filter(case=row.case, stage=name).select_related("case__study").order_by("round").last()
        )
        found = handed_in_masks(last) if last is not None and last.rules and last.rules.keeps_readings else {}
        for reading, mask in found.items():
            seat = reading.seat if reading.seat not in masks else max(masks) + 1
            masks[seat], readings[seat] = mask, reading
    if len(masks) < 2:
        raise RejectedInput(
            "too-few-readers",
            f"{len(masks)} reader(s) of {row.case.code} handed in a mask; there is nothing to decide between.",
            remedy="Wait until another reader has handed in; a data manager sees on the agreement page who has.",
        )
    return Readings(row, masks, readings)


def volume_of(mask: CaseMask) -> Mask:
    """A mask's volume; kept in memory for the next picture.

    Raises:
        DamagedFile: The file is not the one that was written.
    """
    return _read(whole_file(mask_file(mask)), mask.sha256, tuple(mask.label_names.items()))


@lru_cache(maxsize=MASKS_IN_MEMORY)
def _read(path: Path, _sha256: str, labels: tuple[tuple[int, str], ...]) -> Mask:
    """A mask that was compared with its digest just now."""
    return read_mask(path, labels=dict(labels))
