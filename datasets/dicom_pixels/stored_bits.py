"""Bits Allocated, Bits Stored and High Bit: which bits of a stored pixel are its value.

Old overlays lie in the unused bits, and some programs keep twelve bits at the upper end of sixteen.

Source: DICOM PS3.5 8.1.1 (Bits Allocated, Bits Stored, High Bit), PS3.3 C.7.6.3.1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from datasets.dicom.file import number
from datasets.errors import RejectedInput

_MOST_BITS = 64


@dataclass(frozen=True)
class StoredBits:
    """The form of a stored pixel: bits allocated, bits used and where they lie.

    Args:
        allocated: Bits a pixel takes.
        stored: Bits of its value.
        high: Number of the highest of them, from 0.
        is_signed: Whether values may be negative.
    """

    allocated: int
    stored: int
    high: int
    is_signed: bool

    @classmethod
    def of(cls, dataset: Dataset) -> "StoredBits":
        """Reads the form of stored pixels from a header.

        Raises:
            RejectedInput: Its values are impossible together (``dicom-bits``).
        """
        allocated = int(number(dataset, "BitsAllocated") or 16)
        stored = int(number(dataset, "BitsStored") or allocated)
        high = number(dataset, "HighBit")
        bits = cls(
            allocated, stored, stored - 1 if high is None else int(high), number(dataset, "PixelRepresentation") == 1
        )
        if not 0 < bits.stored <= bits.high + 1 <= bits.allocated <= _MOST_BITS:
            raise RejectedInput(
                "dicom-bits",
                "The header has the stored bits outside those allocated.",
                remedy="Export the object from the archive again, uncompressed.",
            )
        return bits

    @property
    def below(self) -> int:
        """Unused bits below the value."""
        return self.high + 1 - self.stored

    @property
    def above(self) -> int:
        """Unused bits above the value."""
        return self.allocated - 1 - self.high

    def cleaned(self, pixels: NDArray[np.integer]) -> NDArray[np.integer]:
        """Pixels, signed as the header says, with zero in the bits below their value, and zero or its sign above."""
        cleaned: NDArray[np.integer] = (pixels << self.above) >> (self.above + self.below) << self.below
        return cleaned

    def values(self, pixels: NDArray[np.integer]) -> NDArray[np.integer]:
        """The pixels' values, whatever lies in their unused bits."""
        if not self.above and not self.below:
            return pixels
        values: NDArray[np.integer] = (pixels << self.above) >> (self.above + self.below)
        return values

    def hide_something(self, pixels: NDArray[np.integer]) -> bool:
        """Whether pixels have something in their unused bits: all must hold zero or, above, all the value's sign."""
        if np.array_equal(pixels, self.cleaned(pixels)):
            return False
        unsigned = pixels.astype(pixels.dtype.str.replace("i", "u"))
        plain = StoredBits(self.allocated, self.stored, self.high, is_signed=False)
        return not np.array_equal(unsigned, plain.cleaned(unsigned))
