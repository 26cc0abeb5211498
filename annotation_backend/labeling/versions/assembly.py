"""From the annotations of a case's slices to one mask volume on the case's grid."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from django.db import transaction

from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import (
    DECODING,
    Annotation,
    CaseMask,
    Correction,
    LabelingTask,
    VersionMasks,
    label_rows,
)
from annotation_backend.labeling.versions.corrections import put_in
from annotation_backend.labeling.versions.decoded_masks import mask_together, stored_masks
from annotation_backend.labeling.versions.standing import counting_corrections, counting_saves, inputs_digest
from annotation_backend.stages.flow import fresh_since
from annotation_backend.stages.models import Reading
from curation.slices.assembly import AssembledLabels
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file
from datasets.finding import Finding, Level
from datasets.formats.nifti import read_mask, write_mask
from datasets.image.mask import Mask


def assemble(case: Case, reading: Reading | None = None) -> CaseMask | None:
    """Assembles the annotations that count into a mask file and its record; the same saves give the same record.

    Slices that nobody submitted are empty in the mask and listed as such. A mask that an earlier version made, or that
    was made for other labels, is compared once with its saves as they are read now. Where it shows them otherwise, or
    a save was moved to another slice as it was, another takes its place.

    Args:
        case: A case with published tasks.
        reading: The reader whose own saves are meant; None for the mask of the case.

    Returns:
        The mask, or None while no slice was submitted.
    """
    inputs = _inputs_of(case) if reading is None else _inputs_of_reading(case, reading)
    if not inputs.slices:
        return None
    known = CaseMask.objects.filter(case=case, inputs_sha256=inputs.sha256).first()
    here = known if known is not None and known.is_on(inputs.slices) else None
    if here is not None and here.is_of_today(case.protocol.label_names):
        return here
    read = _read(case, inputs)
    is_as_read = here is not None and _is_as_read(here, read)
    if here is not None and is_as_read is not False:
        if is_as_read:
            here.decoding, here.labels = DECODING, label_rows(case.protocol.label_names)
            here.save(update_fields=["decoding", "labels"])
        return here
    return _write(case, inputs, read=read, former=known)


def current_saves(case: Case) -> dict[int, Annotation | None]:
    """The save that counts for each published slice, in a few queries; None where nobody submitted it."""
    counting = counting_saves([case], fresh_since([case]))[case.pk]
    return {index: counting.get(index) for index in _published(case)}


@dataclass(frozen=True)
class _Inputs:
    """What a mask is made of: one save or correction a slice.

    Args:
        saves: By slice index.
        corrections: By slice index; on their slices they count instead of the save.
        reading: Whose own work it is; None for the case's.
        sha256: Digest of it all.
    """

    saves: Mapping[int, Annotation]
    corrections: Mapping[int, Correction]
    reading: Reading | None
    sha256: str

    @property
    def slices(self) -> list[int]:
        """The slices that somebody drew or corrected."""
        return sorted({*self.saves, *self.corrections})


def _inputs_of(case: Case) -> _Inputs:
    since = fresh_since([case])
    saves = counting_saves([case], since)
    corrections = counting_corrections([case], saves, since)[case.pk]
    digest = inputs_digest(case, saves[case.pk].values(), corrections)
    return _Inputs(saves[case.pk], corrections, None, digest)


def _inputs_of_reading(case: Case, reading: Reading) -> _Inputs:
    own = Annotation.objects.filter(task__case=case).newest_of_each_task(reading)
    places = dict(LabelingTask.objects.filter(pk__in=own).values_list("pk", "slice_index"))
    saves = {places[task]: save for task, save in own.items()}
    return _Inputs(saves, {}, reading, inputs_digest(case, saves.values(), reading=reading))


def _published(case: Case) -> list[int]:
    return list(LabelingTask.objects.filter(case=case).values_list("slice_index", flat=True))


@dataclass(frozen=True)
class _Read:
    """The mask that a case's saves hold together, and findings about what was drawn and is not in it."""

    mask: Mask
    findings: tuple[Finding, ...]


def _read(case: Case, inputs: _Inputs) -> _Read:
    saves = {index: save for index, save in inputs.saves.items() if index not in inputs.corrections}
    stored = {index: stored_masks(save) for index, save in saves.items()}
    assembled = mask_together(case, stored, case.protocol.label_names)
    put_in(assembled.mask, case, inputs.corrections)
    findings = [_unreadable(case, index, masks.unreadable) for index, masks in stored.items() if masks.unreadable]
    return _Read(assembled.mask, (*findings, *_unknown(case, stored), *_covered(case, assembled)))


def _is_as_read(known: CaseMask, read: _Read) -> bool | None:
    """Whether a mask that an earlier version made is the one that its saves give now.

    None where its file cannot be read: it is damaged, which is told elsewhere, and compared once it is whole again.
    """
    told = {(finding["code"], finding["subject"]) for finding in known.findings}
    if told != {(finding.code, finding.subject) for finding in read.findings}:
        return False
    try:
        return bool(np.array_equal(read_mask(known.path).data, read.mask.data))
    except (OSError, RejectedInput):
        return None


def _write(case: Case, inputs: _Inputs, *, read: _Read, former: CaseMask | None) -> CaseMask:
    """Makes the record; the former mask, decoded otherwise from these saves, keeps its file and counts no more."""
    file = f"masks/{inputs.sha256[:16]}{f'-{former.pk}' if former else ''}.nii.gz"
    write_mask(case.folder / file, read.mask)
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=case.pk)  # the mask that counts changes, and a verdict asks for it
        if former is not None:
            CaseMask.objects.filter(pk=former.pk).update(inputs_sha256=_former_digest(former))
        record, is_new = CaseMask.objects.get_or_create(
            case=case,
            inputs_sha256=inputs.sha256,
            defaults={
                "reading": inputs.reading,
                "file": file,
                "sha256": sha256_of_file(case.folder / file),
                "annotated_slices": inputs.slices,
                "unannotated_slices": sorted(set(_published(case)) - set(inputs.slices)),
                "findings": [finding.as_dict() for finding in read.findings],
                "labels": label_rows(read.mask.labels),
            },
        )
        if is_new:
            record.annotations.set(save for index, save in inputs.saves.items() if index not in inputs.corrections)
            record.corrections.set(set(inputs.corrections.values()))
    return record


def _former_digest(mask: CaseMask) -> str:
    """Digest for a mask that was decoded otherwise than its saves are now; no mask that counts has it."""
    return sha256_of_bytes(canonical_json([mask.inputs_sha256, mask.pk]))


def _unreadable(case: Case, index: int, count: int) -> Finding:
    return Finding(
        Level.ERROR,
        "brush-code",
        f"{count} brush region(s) could not be read and are missing from the mask.",
        "Open the task in Label Studio, draw them again or delete them, and submit it again.",
        f"{case.code} slice {index}",
    )


def _unknown(case: Case, stored: Mapping[int, VersionMasks]) -> Iterator[Finding]:
    """Labels that the protocol does not have, on each slice: nothing of them is in the mask."""
    known = set(case.protocol.label_names.values())
    for index, masks in stored.items():
        for label in sorted(set(masks.areas) - known):
            yield Finding(
                Level.ERROR,
                "label-unknown",
                f"{masks.areas[label]} pixels are drawn as {label!r}, a label that the protocol does not have; "
                "they are missing from the mask.",
                "Give the regions a label of the protocol in Label Studio, or delete them, and submit the task again; "
                "or have the label added to the protocol.",
                f"{case.code} slice {index}",
            )


def _covered(case: Case, assembled: AssembledLabels) -> Iterator[Finding]:
    """Voxels that two labels were drawn on: the one that stands first in the protocol counts."""
    for (counts, other), voxels in sorted(assembled.covered.items()):
        yield Finding(
            Level.INFO,
            "label-overlap",
            f"{voxels} voxels are drawn both as {counts} and as {other}; they count as {counts}.",
            f"Nothing, if that is meant; else erase {counts} there.",
            case.code,
        )
