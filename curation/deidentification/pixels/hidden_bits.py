"""Refuses compressed pictures with data hidden in the unused bits of their pixels, such as an old overlay.

A codestream says how many bits its samples have. Where they are more than the header's stored bits, the picture is
decoded as it is, and every pixel looked at.

Source: ITU-T T.81 B.2.2 (JPEG), T.87 C.2.2 (JPEG-LS), T.800 A.5.1 (JPEG 2000), DICOM PS3.5 8.1.1 and G.
"""

from pydicom import Dataset
from pydicom.encaps import generate_frames

from datasets.dicom.codestream import Kind, recognise
from datasets.dicom.file import number, text
from datasets.dicom_pixels.decoding import PixelForm, decode_picture
from datasets.dicom_pixels.stored_bits import StoredBits
from datasets.errors import RejectedInput


def refuse_hidden_bits(content: bytes, dataset: Dataset, *, frames: int) -> None:
    """Holds back compressed pictures that have something in their unused bits.

    Args:
        content: Encapsulated pictures with nothing beside them.
        dataset: The object, for its header.
        frames: Number of pictures.

    Raises:
        RejectedInput: ``pixels-hidden-bits``; stored bits that cannot be (``dicom-bits``); or a picture that would
            have to be looked at and cannot be decoded.
    """
    bits = StoredBits.of(dataset)
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    for picture in generate_frames(content, number_of_frames=frames):
        depth = _depth(picture, samples=int(number(dataset, "SamplesPerPixel") or 1)) or bits.allocated
        if depth <= bits.stored and not bits.below:
            continue
        if depth > bits.allocated:
            raise RejectedInput(
                "dicom-bits",
                f"Expected compressed pixels of at most the {bits.allocated} bits that the header allocates, got "
                f"{depth}.",
                remedy="Export the object from the archive again, uncompressed.",
            )
        pixels = decode_picture(picture, _form(dataset, bits, syntax, depth))
        if bits.hide_something(pixels):
            raise RejectedInput(
                "pixels-hidden-bits",
                f"The unused bits of compressed pixels, beyond the {bits.stored} of their values, hold something, "
                "as an old overlay.",
                remedy="Export the object as Explicit VR Little Endian; its unused bits are then cleared here.",
            )


def _depth(picture: bytes, *, samples: int) -> int | None:
    """Bits of a sample, as the codestream says, or as RLE has segments for its bytes; None where neither does."""
    found = recognise(picture)
    if found is not None and found.kind is Kind.RLE:
        return int.from_bytes(picture[:4], "little") * 8 // samples
    return found.depth if found is not None else None


def _form(dataset: Dataset, bits: StoredBits, syntax: str, depth: int) -> PixelForm:
    return PixelForm(
        transfer_syntax=syntax,
        rows=int(number(dataset, "Rows") or 0),
        columns=int(number(dataset, "Columns") or 0),
        bits_allocated=bits.allocated,
        bits_stored=depth,
        is_signed=bits.is_signed,
        photometric=text(dataset, "PhotometricInterpretation"),
    )
