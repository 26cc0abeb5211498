"""An encoder of run-length codes as the editor's JavaScript writes them: runs of unlike values are literal (x = 0)."""

from collections.abc import Iterator, Sequence

SIZES = (3, 4, 8, 16)

Run = tuple[bool, list[int]]
"""Whether the values are all equal, and the values."""


def packed(values: Sequence[int], sizes: Sequence[int] = SIZES, *, word_bits: int = 8) -> list[int]:
    """The code of values 0..255 with literal runs between runs of equal values; padded with zeros to whole bytes."""
    return as_bytes(header(len(values), sizes, word_bits=word_bits) + "".join(tokens(runs_of(values), sizes)))


def header(count: int, sizes: Sequence[int] = SIZES, *, word_bits: int = 8) -> str:
    """The 53 bits before the first run."""
    return f"{count:032b}{word_bits - 1:05b}" + "".join(f"{size - 1:04b}" for size in sizes)


def tokens(runs: Iterator[Run] | Sequence[Run], sizes: Sequence[int] = SIZES) -> Iterator[str]:
    """The bits of each run, in pieces that the largest size can count, each with the smallest size that fits."""
    for is_equal, run in runs:
        for start in range(0, len(run), 1 << max(sizes)):
            piece = run[start : start + (1 << max(sizes))]
            index = min((size, at) for at, size in enumerate(sizes) if len(piece) <= 1 << size)[1]
            kept = piece[:1] if is_equal else piece
            yield f"{int(is_equal)}{index:02b}{len(piece) - 1:0{sizes[index]}b}"
            yield "".join(f"{value:08b}" for value in kept)


def runs_of(values: Sequence[int]) -> list[Run]:
    """Runs of two or more equal values, and what lies between them as literal runs."""
    runs: list[Run] = []
    at = 0
    while at < len(values):
        end = at + 1
        while end < len(values) and values[end] == values[at]:
            end += 1
        if end - at > 1:
            runs.append((True, list(values[at:end])))
        elif runs and not runs[-1][0]:
            runs[-1][1].append(values[at])
        else:
            runs.append((False, [values[at]]))
        at = end
    return runs


def as_bytes(bits: str) -> list[int]:
    """Whole bytes, the last filled up with zeros."""
    filled = bits + "0" * (-len(bits) % 8)
    return [int(filled[at : at + 8], 2) for at in range(0, len(filled), 8)]
