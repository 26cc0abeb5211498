"""The images that a structure set and its contours name.

Source: DICOM PS3.3 C.8.8.5 (Structure Set), C.8.8.6 (ROI Contour).
"""

from collections.abc import Iterator

from pydicom import Dataset

from datasets.dicom.file import number, text, values

ImageReference = tuple[str, int | None]
"""UID of an image and number of its frame, from 1; None for an image of one frame. Never to be shown."""


def contour_images(dataset: Dataset) -> tuple[str, ...]:
    """UIDs of the images that contours name, each once. Never to be shown."""
    found: dict[str, None] = {}
    for region in values(dataset, "ROIContourSequence"):
        for contour in values(region, "ContourSequence"):
            found.update(dict.fromkeys(uid for uid, _ in images_of(contour)))
    return tuple(found)


def images_of(contour: Dataset) -> list[ImageReference]:
    """The images that one contour names."""
    named = []
    for image in values(contour, "ContourImageSequence"):
        frame = number(image, "ReferencedFrameNumber")
        named.append((text(image, "ReferencedSOPInstanceUID"), None if frame is None else int(frame)))
    return [reference for reference in named if reference[0]]


def listed_images(dataset: Dataset) -> dict[str, set[str]]:
    """UIDs of the images of each series that a structure set lists. Never to be shown."""
    listed: dict[str, set[str]] = {}
    for series in _listed_series(dataset):
        images = listed.setdefault(text(series, "SeriesInstanceUID"), set())
        images.update(text(image, "ReferencedSOPInstanceUID") for image in values(series, "ContourImageSequence"))
    return {uid: images for uid, images in listed.items() if uid}


def _listed_series(dataset: Dataset) -> Iterator[Dataset]:
    for frame in values(dataset, "ReferencedFrameOfReferenceSequence"):
        for study in values(frame, "RTReferencedStudySequence"):
            yield from values(study, "RTReferencedSeriesSequence")
