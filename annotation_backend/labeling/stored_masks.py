"""A case's mask as a file whose digest is written down."""

from annotation_backend.cases.stored import StoredFile
from annotation_backend.labeling.models import CaseMask


def mask_file(mask: CaseMask) -> StoredFile:
    """The mask's NIfTI file."""
    return StoredFile(mask.path, mask.sha256, f"mask {mask.pk} of {mask.case.code}", case=mask.case)
