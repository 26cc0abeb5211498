"""A case's mask as a file whose digest is written down, and the same file made again from its saves."""

from annotation_backend.cases.stored.digests import FROM_BACKUP, StoredFile
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.corrections import corrections_in, put_in
from annotation_backend.labeling.versions.decoded_masks import mask_together, stored_masks
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, write_bytes
from datasets.formats.nifti import encode

REMEDY = (
    f"Run `manage.py check_data --mend`, which makes it again from its saves. Where that does not help: {FROM_BACKUP}"
)


def mask_file(mask: CaseMask) -> StoredFile:
    """The mask's NIfTI file."""
    return StoredFile(mask.path, mask.sha256, f"mask {mask.pk} of {mask.case.code}", REMEDY, case=mask.case)


def make_again(mask: CaseMask) -> bool:
    """Writes a mask's file again from its saves, if that gives the very same bytes.

    Returns:
        Whether it did; another registration or version of the program may give other bytes, which are not written.
    """
    try:
        saves = mask.annotations.select_related("task__case")
        stored = {save.task.slice_index: stored_masks(save) for save in saves}
        volume = mask_together(mask.case, stored, mask.label_names).mask
        put_in(volume, mask.case, corrections_in(mask, stored))
    except RejectedInput:
        return False
    content = encode(volume.data, volume.grid.affine)
    if sha256_of_bytes(content) != mask.sha256:
        return False
    write_bytes(mask.path, content)
    return True
