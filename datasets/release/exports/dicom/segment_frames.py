"""Which slices get frames in a binary segmentation, so that every reader unpacks its bits alike.

Frames are packed bit by bit, one behind the other, and a byte is added to an odd number of bytes (DICOM PS3.5 8.1.1).
Some viewers guess from that number how frames were packed: @cornerstonejs/adapters 5.14 refuses the added byte, and
takes frames that end within a byte for frames that begin at one where both would have as many bytes. A frame or two
more, of slices beside the mask, make it a number that can be read one way only.
"""

from collections.abc import Sequence

_BITS = 8


def slices_with_frames(held: Sequence[int], count: int, *, pixels: int, segments: int) -> tuple[list[int], bool]:
    """The slices, and whether their frames are packed so that there is one way to read them.

    Args:
        held: Slices in which the mask holds a voxel, at least one.
        count: Slices of the series.
        pixels: Pixels of a frame.
        segments: Each has a frame on each of the slices.

    Returns:
        All of `held`, with as few of the nearest others as will do; none where no number will.
    """
    middle = (min(held) + max(held)) / 2
    others = sorted(set(range(count)) - set(held), key=lambda index: (abs(index - middle), index))
    for more in range(len(others) + 1):
        if _is_read_one_way((len(held) + more) * segments, pixels):
            return sorted([*held, *others[:more]]), True
    return sorted(held), False


def _is_read_one_way(frames: int, pixels: int) -> bool:
    packed = -(-frames * pixels // _BITS)
    each_from_a_byte = frames * -(-pixels // _BITS)
    return packed % 2 == 0 and (pixels % _BITS == 0 or packed != each_from_a_byte)
