"""DICOM objects with a name planted in them, for the tests that look for it afterwards."""

from io import BytesIO

from pydicom import DataElement, Dataset, FileMetaDataset, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from datasets.dicom.file import without_warnings

CANARY = "KANARIENVOGEL"
"""The name: in no word list, no dictionary and no table."""

KEY = bytes(range(32))
CODE = "D0123456789AB"

TEXT_VRS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
_WIDTHS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "UV": 8, "SV": 8, "FL": 4, "FD": 8, "AT": 4, "OF": 4, "OD": 8}
_NEWER_THAN_PYDICOM = {
    0x00401031: "LO",
    0x0040B034: "DT",
    0x0040A034: "DT",
    0x0040A035: "DT",
    0x0040B036: "DT",
    0x0040E012: "UR",
    0x00100011: "SQ",
    0x00100014: "SQ",
    0x00100015: "SQ",
    0x00100041: "SQ",
    0x00100043: "SQ",
    0x00100044: "SQ",
    0x00100046: "SQ",
    0x00081301: "SQ",
    0x00081302: "SQ",
    0x00081303: "SQ",
    0x00081304: "SQ",
}


def image() -> Dataset:
    """A small MR image with nothing planted."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID = "1.2.3.3", "1.2.3.2", "1.2.3.1"
    dataset.PatientID, dataset.PatientName = "MRN7712390", "Doe^Jane"
    dataset.Modality = "MR"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 2, 2, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.add_new(0x7FE00010, "OW", bytes([1, 0, 2, 0, 3, 0, 4, 0]))
    return dataset


def value_representation(tag: int) -> str:
    """The dictionary's VR; the newest attributes, which pydicom does not know yet, are LO unless listed."""
    try:
        return dictionary_VR(tag).split(" or ")[0]
    except KeyError:
        return _NEWER_THAN_PYDICOM.get(tag, "LO")


def planted(tag: int, vr: str, *, text: str = CANARY, encoding: str = "latin-1") -> DataElement | RawDataElement:
    """An element of this VR whose bytes are the text, whether the VR allows it or not; a sequence has it in an item."""
    if vr == "SQ":
        return DataElement(tag, "SQ", [_item(text)])
    content = text.encode(encoding)
    width = 8 if vr == "UN" else _WIDTHS.get(vr, 2)
    padded = content + (b" " if vr in TEXT_VRS else b"\0") * (-len(content) % width)
    return RawDataElement(Tag(tag), vr, len(padded), padded, 0, False, True)


def reread(dataset: Dataset) -> Dataset:
    """The data set as it comes back from a file."""
    return dcmread(BytesIO(as_file(dataset)))


def as_file(dataset: Dataset) -> bytes:
    """The data set as a file."""
    stream = BytesIO()
    with without_warnings():
        dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _item(text: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = MRImageStorage
    item.ReferencedSOPInstanceUID = "1.2.3.3"
    with without_warnings():
        for keyword in ("CodeMeaning", "TextValue", "PersonName", "PatientName", "CodeValue"):
            setattr(item, keyword, text)
    return item
