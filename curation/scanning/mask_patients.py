"""DICOM masks under another patient ID than their images: anonymised apart from them, or another patient's."""

from collections.abc import Iterator, Sequence

from curation.scanning.found_series import FoundMask, FoundSeries
from datasets.finding import Finding, Level


def masks_of_other_patients(masks: Sequence[FoundMask], series: Sequence[FoundSeries]) -> Iterator[FoundMask]:
    """Masks that refer to images of other patient IDs only, or to none while their own patient ID has no images.

    Args:
        masks: All masks of a scan.
        series: All series of a scan.
    """
    dicom = [(found.patient_key, found.dicom) for found in series if found.dicom is not None]
    owners = {one.series_uid: key for key, one in dicom}
    owners |= {uid: key for key, one in dicom for header in one.slices for uid in header.uids}
    for mask in masks:
        says = (*mask.series_uids, *mask.image_uids)
        named = {owners[uid] for uid in says if uid in owners} if says else {found.patient_key for found in series}
        if named and mask.patient_key not in named:
            yield mask


def other_patient_finding(mask: FoundMask) -> Finding:
    """The finding that a mask is left out, since it is unknown which of the two IDs is right."""
    return Finding(
        Level.ERROR,
        "mask-of-other-patient",
        "The mask has another patient ID than the images that it was drawn on; it is left out.",
        "Find out whose it is, and export it again under that patient ID.",
        mask.reference,
    )
