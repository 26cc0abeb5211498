"""From the annotations of a case's slices to one mask volume on the case's grid."""

from django.db import transaction

from annotation_backend.cases.models import Case
from annotation_backend.cases.services import picture_plane
from annotation_backend.labeling.drawn import mask_in, stored_masks
from annotation_backend.labeling.models import Annotation, CaseMask, LabelingTask
from annotation_backend.labeling.standing import inputs_digest
from curation.assemble import assemble_mask
from datasets.files import sha256_of_file
from datasets.finding import Finding, Level
from datasets.mask import TUMOUR
from datasets.nifti import write_mask


def assemble(case: Case) -> CaseMask | None:
    """Assembles what counts of all slices into a mask file and its record; the same saves give the same record.

    Slices that nobody submitted are empty in the mask and listed as such.

    Args:
        case: A case with published tasks.

    Returns:
        The mask, or None while no slice was submitted.
    """
    current = current_saves(case)
    saves = {index: save for index, save in current.items() if save is not None}
    if not saves:
        return None
    inputs = inputs_digest(case, list(saves.values()))
    known = CaseMask.objects.filter(case=case, inputs_sha256=inputs).first()
    return known or _write(case, saves, inputs, unannotated=sorted(set(current) - set(saves)))


def current_saves(case: Case) -> dict[int, Annotation | None]:
    """The save that counts for each published slice, in two queries; None where nobody submitted it."""
    counting = Annotation.objects.filter(task__case=case).newest_of_each_task()
    tasks = LabelingTask.objects.filter(case=case).values_list("pk", "slice_index")
    return {index: counting.get(key) for key, index in tasks}


def _write(case: Case, saves: dict[int, Annotation], inputs: str, *, unannotated: list[int]) -> CaseMask:
    plane = picture_plane(case)
    pictures, findings = {}, []
    for index, save in saves.items():
        stored = stored_masks(save)
        pictures[index] = mask_in(stored, TUMOUR)
        if stored.unreadable:
            findings.append(_unreadable(case, index, stored.unreadable))
    mask = assemble_mask(pictures, plane, plane.grid)
    file = f"masks/{inputs[:16]}.nii.gz"
    write_mask(case.folder / file, mask)
    with transaction.atomic():
        record, is_new = CaseMask.objects.get_or_create(
            case=case,
            inputs_sha256=inputs,
            defaults={
                "file": file,
                "sha256": sha256_of_file(case.folder / file),
                "annotated_slices": sorted(saves),
                "unannotated_slices": unannotated,
                "findings": [finding.as_dict() for finding in findings],
            },
        )
        if is_new:
            record.annotations.set(saves.values())
    return record


def _unreadable(case: Case, index: int, count: int) -> Finding:
    return Finding(
        Level.ERROR,
        "brush-code",
        f"{count} brush region(s) could not be read and are missing from the mask.",
        "Open the task in Label Studio, draw them again or delete them, and submit it again.",
        f"{case.code} slice {index}",
    )
