"""Quarantine: holds back whole objects whose pixels may show names, or whose kind is not known to be safe.

Only the SOP classes in `sop_classes.csv` leave. Of those, a picture is held back when it says that text is burned in,
when it shows that it is a screen shot or a report, and when it is in colour: a cross-sectional scanner writes grey
values, and colours are drawn by programs that may have written text beside them. Text that a scanner of an
allowed class burns into a grey picture without saying so is not found; none of the scanners known to us does.

Source: DICOM PS3.15 E.3.1 (Clean Pixel Data Option); the order of the questions follows the pixel filter of RSNA's CTP.
"""

from pydicom import Dataset
from pydicom.uid import UID_dictionary

from curation.deidentification.policy.attributes import allowed_sop_classes
from datasets.dicom.file import text, texts, values
from datasets.errors import RejectedInput

_SCREEN_WORDS = ("SCREEN", "CAPTURE", "REPORT", "SAVE", "DOSE_INFO", "DOSE INFO", "PASTED", "SNAPSHOT")
_MAY_CARRY_TEXT = (
    "1.2.840.10008.5.1.4.1.1.7",  # secondary capture, with its multi-frame variants below this root
    "1.2.840.10008.5.1.4.1.1.6.",  # ultrasound
    "1.2.840.10008.5.1.4.1.1.3.",  # ultrasound multi-frame
    "1.2.840.10008.5.1.4.1.1.77.1",  # visible light
    "1.2.840.10008.5.1.4.1.1.12.",  # angiography and fluoroscopy
)
_LOOK = "Look at the picture; keep it out of the dataset, or blank the text with an image tool and export it again."


def refuse_unsafe_object(dataset: Dataset) -> None:
    """Holds back an object whose pixels or kind cannot be trusted.

    Raises:
        RejectedInput: Text in the pixels, or pixels that may have it (``burned-in``); any other SOP class that is not
            allowed (``sop-class-not-allowed``); pixels in a manufacturer's own coding (``dicom-transfer-syntax``).
    """
    _require_known_coding(dataset)
    sop_class = text(dataset, "SOPClassUID")
    said = text(dataset, "BurnedInAnnotation").upper()
    if said == "YES":
        raise _burned_in("the image says that text is burned into it")
    if sop_class not in allowed_sop_classes():
        if said != "NO" and sop_class.startswith(_MAY_CARRY_TEXT):
            raise _burned_in("it is a capture, an ultrasound or the like that does not say otherwise")
        raise RejectedInput(
            "sop-class-not-allowed",
            "The object is no image, segmentation or structure set.",
            remedy="Leave it out; what such objects carry is not known to be safe.",
        )
    if _looks_captured(dataset):
        raise _burned_in("it was captured from a screen or is in colour")
    _refuse_overlay_in_compressed_pixels(dataset)


def _require_known_coding(dataset: Dataset) -> None:
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", "")
    if UID_dictionary.get(syntax, ("", ""))[1] != "Transfer Syntax":
        raise RejectedInput(
            "dicom-transfer-syntax",
            "The transfer syntax is missing or none of the standard's.",
            remedy="Export the object again as Explicit VR Little Endian.",
        )


def _looks_captured(dataset: Dataset) -> bool:
    image_type = " ".join(texts(dataset, "ImageType")).upper()
    if any(word in image_type for word in _SCREEN_WORDS):
        return True
    if values(dataset, "ConversionType") or values(dataset, "SecondaryCaptureDeviceManufacturer"):
        return True
    return "PixelData" in dataset and text(dataset, "SamplesPerPixel") not in ("", "1")


def _refuse_overlay_in_compressed_pixels(dataset: Dataset) -> None:
    """An overlay hidden in unused bits is wiped from plain pixels; compressed ones would have to be decoded for it."""
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    if any(tag.group >> 8 == 0x60 and tag.element == 0x0102 and dataset[tag].value for tag in dataset.keys()):  # noqa: SIM118
        raise _burned_in("an overlay lies in the compressed pixels")


def _burned_in(why: str) -> RejectedInput:
    return RejectedInput("burned-in", f"There may be text in the pixels: {why}.", remedy=_LOOK)
