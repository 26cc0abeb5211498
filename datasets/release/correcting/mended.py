"""Whether a later version puts right what an erratum says of a case."""

from datasets.release.correcting.erratum_report import FaultyPart
from datasets.release.describing.changes import changed_parts
from datasets.release.manifest import CaseEntry
from datasets.release.manifest_reading import AnyCase
from datasets.release.paths import MASK


def is_mended(part: FaultyPart, before: AnyCase | None, voxels: str, now: CaseEntry) -> bool:
    """Whether the part of a case is another now: voxels by their digests, words as they are written.

    Args:
        part: What of the case is wrong.
        before: The case in the version about which it was reported; None where that is gone: masks alone are told then.
        voxels: SHA-256 of the mask's voxels there.
        now: The case in the later version.
    """
    if part in (FaultyPart.MASK, FaultyPart.LABEL):
        return now.voxels.get(MASK) != voxels
    if before is None:
        return False
    if not isinstance(before, CaseEntry):
        return (before.tissue_type, before.anatomical_site) != (now.tissue_type, now.anatomical_site)
    changed = changed_parts(before, now)
    if part is FaultyPart.IMAGE:
        return any(each.startswith("image ") or each == "grid" for each in changed)
    return any(each != MASK and not each.startswith("image ") for each in changed)
