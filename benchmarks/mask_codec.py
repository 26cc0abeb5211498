"""Speed of encoding and decoding masks against the SDK's converter, from and to the service's own types.

`python -m benchmarks.mask_codec` takes disks and ragged masks of 512² and 1024², filled with one value and in a colour,
whose code is made of literal runs. Ours and the SDK's take turns, of each the fewest seconds count, and no time is
printed before both gave the same bytes and pixels. Ours is timed as the service uses it: boolean mask to list of
integers and back, with all checks; the SDK from and to its own arrays. Bitmasks (PNG) are timed without a peer: the SDK
has none. Exit status 1 if a ratio misses the goal.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from annotation_backend.labeling.masks import bitmask, brush

SIDES = (512, 1024)
GOAL = 3.0
"""Goal: this many times the SDK's speed, for encoding and for decoding."""

ALPHA = 3


def disk(side: int) -> NDArray[np.bool_]:
    """One smooth outline, like a model's mask."""
    y, x = np.ogrid[:side, :side]
    return np.asarray((x - side / 2) ** 2 + (y - side / 2) ** 2 < (side / 3) ** 2)


def ragged(side: int) -> NDArray[np.bool_]:
    """A disk full of holes, far more ragged than any stroke: tens of runs a row."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(0).normal(size=(side, side)), 1.5)
    return np.asarray(disk(side) & (noise > -0.05 * np.float64(noise.std())))


def coloured_code(mask: NDArray[np.bool_]) -> list[int]:
    """The mask in a stroke's colour, as the editor holds it: inside, each of a pixel's four values is a literal run."""
    from label_studio_sdk.converter.brush import encode_rle

    picture = np.zeros((*mask.shape, 4), dtype=np.int64)
    picture[mask] = (232, 89, 12, 255)
    return list(encode_rle(picture.ravel()))


def fewest(*calls: Callable[[], object], rounds: int) -> list[float]:
    """Fewest milliseconds of each call; the calls take turns."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, seconds in zip(calls, found, strict=True):
            started = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - started)
    return [1e3 * min(seconds) for seconds in found]


def compare(name: str, mask: NDArray[np.bool_], *, rounds: int) -> list[float]:
    """Prints one line; returns the ratios of encode, decode and decode in colour. Raises where results differ."""
    from label_studio_sdk.converter.brush import decode_rle, mask2rle

    height, width = mask.shape
    filled = mask.astype(np.uint8) * 255

    def theirs(code: list[int]) -> NDArray[np.uint8]:
        return decode_rle(code).reshape(height, width, 4)[..., ALPHA]

    code, coloured, picture = mask2rle(filled), coloured_code(mask), bitmask.encode(mask)
    if brush.encode(mask) != code:
        raise SystemExit(f"{name}: our bytes are not the SDK's.")
    for each in (code, coloured):
        decoded = brush.decode(each, height=height, width=width)
        if not np.array_equal(decoded, theirs(each) > brush.INSIDE_ABOVE_ALPHA) or not np.array_equal(decoded, mask):
            raise SystemExit(f"{name}: our pixels are not the SDK's.")
    if not np.array_equal(bitmask.decode(picture, height=height, width=width), mask):
        raise SystemExit(f"{name}: the bitmask does not come back.")
    ours, ratios = [], []
    for mine, other in (
        (lambda: brush.encode(mask), lambda: mask2rle(filled)),
        (lambda: brush.decode(code, height=height, width=width), lambda: theirs(code)),
        (lambda: brush.decode(coloured, height=height, width=width), lambda: theirs(coloured)),
    ):
        fast, slow = fewest(mine, other, rounds=rounds)
        ours.append(f"{fast:.2f} | {slow:.1f} | {slow / fast:.0f}×")
        ratios.append(slow / fast)
    written, read = fewest(
        lambda: bitmask.encode(mask), lambda: bitmask.decode(picture, height=height, width=width), rounds=rounds
    )
    sys.stdout.write(f"| {name} | {len(code)} | {' | '.join(ours)} | {len(picture)} | {written:.2f} | {read:.2f} |\n")
    return ratios


def main() -> int:
    """Prints milliseconds and ratios; exit status 1 where one misses the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    started = time.perf_counter()
    brush.prepare()
    sys.stdout.write(f"first mask after a start: {1e3 * (time.perf_counter() - started):.0f} ms\n\n")
    columns = [f"{what} {of}" for what in ("encode", "decode", "decode coloured") for of in ("ms", "SDK ms", "ratio")]
    sys.stdout.write(f"| mask | bytes | {' | '.join(columns)} | bitmask bytes | encode ms | decode ms |\n")
    sys.stdout.write("| --- " * 14 + "|\n")
    masks = {f"{make.__name__} {side}²": make(side) for side in SIDES for make in (disk, ragged)}
    ratios = [ratio for name, mask in masks.items() for ratio in compare(name, mask, rounds=rounds)]
    sys.stdout.write(f"\nsmallest ratio {min(ratios):.1f}, goal {GOAL:g}\n")
    return 0 if min(ratios) >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
