"""Speed of registration against plain `ants.registration`, on the same pairs, in one run, with the same threads.

`python -m benchmarks.registration.registration_speed` registers T1s of real anatomy with partners of known motion, ours
and the peers' turn by turn. Errors are measured with the times. Ours includes steps that the peers lack:
the body, the starts, the choice between rigid and affine, the checks and both volumes on the case's grid.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.registration.moved_pairs import MovedPair, moved_pair
from benchmarks.registration.recovery import patients
from curation.registration.motion_search import Motion, RegistrationSettings
from curation.registration.register import register
from curation.registration.source_image import SourceImage
from datasets.formats.nifti import read_mask, read_volume
from datasets.image.mask import Mask
from datasets.image.volume import Affine, Volume

THREADS = 2

PEERS = {
    "ants.registration, defaults (SyN)": "SyN",
    "ants.registration, Rigid": "Rigid",
    "ants.registration, Affine": "Affine",
}
"""The peers by name: ANTs' own defaults, and its own settings for the two simpler motions."""

LIMIT = 0.5


@dataclass(frozen=True)
class Timed:
    """One registration: seconds, and the error in millimetres."""

    seconds: float
    error_mm: float


def ours(pair: MovedPair) -> Affine:
    """Our whole registration of a case."""
    return register(SourceImage(pair.t1), SourceImage(pair.t2)).transform


def ours_rigid(pair: MovedPair) -> Affine:
    """The same without the attempt at an affine motion."""
    settings = RegistrationSettings(motion=Motion.RIGID)
    return register(SourceImage(pair.t1), SourceImage(pair.t2), settings=settings).transform


def peer(pair: MovedPair, *, kind: str) -> Affine:
    """Plain ANTs; of SyN the affine part is measured, which is nearer to the truth than its deformation."""
    import ants

    from curation.registration import ants_search

    fixed, moving = ants_search.to_ants(ants, pair.t2), ants_search.to_ants(ants, pair.t1)
    found = ants.registration(fixed, moving, type_of_transform=kind)
    return ants_search.from_ants(ants.read_transform(found["fwdtransforms"][-1]))


def timed(method: Callable[[MovedPair], Affine], pair: MovedPair) -> Timed:
    """Runs one method on one pair."""
    started = time.perf_counter()
    transform = method(pair)
    return Timed(time.perf_counter() - started, pair.error_mm(transform))


def rounds(count: int) -> Iterator[tuple[str, dict[str, Timed]]]:
    """(motion, seconds and error of each method) of `count` patients over the cohort, rigid and affine in turn."""
    folders = patients()
    for number, index in enumerate(np.linspace(0, len(folders) - 1, count).astype(int)):
        t1, tumour = _read(folders[index])
        is_affine = number % 2 == 1
        pair = moved_pair(t1, tumour, seed=3000 + number, affine=is_affine)
        methods: dict[str, Callable[[MovedPair], Affine]] = {"ours": ours}
        if not is_affine:
            methods["ours, rigid only"] = ours_rigid
        for name, kind in PEERS.items():
            if kind != ("Rigid" if is_affine else "Affine"):
                methods[name] = lambda pair, kind=kind: peer(pair, kind=kind)
        yield "affine" if is_affine else "rigid", {name: timed(method, pair) for name, method in methods.items()}


def main() -> int:
    """Prints ratios beside each peer; exit status 1 where the limit beside ANTs' defaults is not held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=8)
    options = parser.parse_args()
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(THREADS)
    rows: list[tuple[str, dict[str, Timed]]] = []
    for motion, row in rounds(options.pairs):
        rows.append((motion, row))
        told = ", ".join(f"{name} {one.seconds:.1f} s {one.error_mm:.2f} mm" for name, one in row.items())
        sys.stderr.write(f"{motion}: {told}\n")
    return 0 if _report(rows) else 1


def _report(rows: list[tuple[str, dict[str, Timed]]]) -> bool:
    print_line = sys.stdout.write
    print_line("| motion | beside | n | ours s | peer s | ratio | ours mm | peer mm |\n" + "| --- " * 8 + "|\n")
    is_held = True
    for motion in ("rigid", "affine"):
        of_motion = [row for kind, row in rows if kind == motion]
        own_names = ("ours", "ours, rigid only") if motion == "rigid" else ("ours",)
        for own in own_names:
            for name in PEERS:
                both = [(row[own], row[name]) for row in of_motion if name in row]
                if not both:
                    continue
                ratio = float(np.median([mine.seconds / theirs.seconds for mine, theirs in both]))
                mine, theirs = (float(np.mean([pair[side].error_mm for pair in both])) for side in (0, 1))
                seconds = [float(np.median([pair[side].seconds for pair in both])) for side in (0, 1)]
                print_line(
                    f"| {motion}, {own} | {name} | {len(both)} | {seconds[0]:.1f} | {seconds[1]:.1f} | {ratio:.2f} "
                    f"| {mine:.2f} | {theirs:.2f} |\n"
                )
                if PEERS[name] == "SyN" and own == "ours":
                    is_held &= ratio <= LIMIT and mine <= theirs
    return is_held


def _read(folder: Path) -> tuple[Volume, Mask]:
    return read_volume(folder / "MR_T1_image.nii.gz"), read_mask(folder / "MR_T1_mask.nii.gz")


if __name__ == "__main__":
    sys.exit(main())
