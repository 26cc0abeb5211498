"""Speed of geodesic maps against GeodisTK and FastGeodis, on the same crop, on one thread each.

`python -m benchmarks.geodesic_maps --peer-python A/bin/python --peer-python B/bin/python` names Pythons in which a peer
can be imported: neither has wheels, GeodisTK needs numpy 1 and FastGeodis torch, so each has an environment of its own
(tests/training/prompts/golden/README.md). Ours and the peers' take turns; of each the fewest seconds count. GeodisTK's
map must equal ours, or its time is not printed. FastGeodis solves another equation: its correlation is printed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHAPE = (96, 128, 128)
SPACING = (3.0, 1.0, 1.0)
PEERS = ("GeodisTK", "FastGeodis")
TOLERANCE = 1e-4
REPEATS = 3
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
_NOT_IMPORTABLE = 3


@dataclass
class Timed:
    """One method: its last distance map, and the fewest seconds of each round."""

    distance: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    seconds: list[float] = field(default_factory=list)

    @property
    def exponentialized(self) -> NDArray[np.float32]:
        """The map as a network's input."""
        return np.exp(-self.distance)


def tumour_crop() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A bright ellipsoid in smooth noise, normalised, and six points just inside its ends."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 2.0)
    middle, radii = np.array(SHAPE) // 2, np.array(SHAPE) // 4
    offsets = np.moveaxis(np.indices(SHAPE), 0, -1) - middle
    image = noise / noise.std() + 2.0 * (np.square(offsets / radii).sum(axis=-1) <= 1.0)
    ends = np.diag(radii - 3)
    return ((image - image.mean()) / image.std()).astype(np.float32), np.concatenate([middle - ends, middle + ends])


def time_ours(image: NDArray[np.float32], seeds: NDArray[np.int64], *, iterations: int, timed: Timed) -> None:
    """Times our map with its checks; compilation is not timed."""
    from training.prompts.geodesic import geodesic_distance

    geodesic_distance(image[:4, :4, :4], [[0, 0, 0]], spacing=SPACING)
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        timed.distance = geodesic_distance(image, seeds, spacing=SPACING, iterations=iterations)
        seconds.append(time.perf_counter() - started)
    timed.seconds.append(min(seconds))


def time_peer(name: str, python: str, given: dict[str, Any], *, timed: Timed) -> bool:
    """Times a peer in its own Python; False if that cannot import it."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "given.npz", Path(folder) / "found.npz"
        np.savez(source, **given)
        command = [python, str(Path(__file__).with_name("geodesic_peer.py")), name, str(source), str(target)]
        done = subprocess.run(command, env=os.environ | ONE_THREAD, check=False)  # noqa: S603 (the caller names it)
        if done.returncode == _NOT_IMPORTABLE:
            return False
        done.check_returncode()
        with np.load(target) as found:
            timed.distance = found["distance"]
            timed.seconds.append(float(found["seconds"]))
    return True


def rounds(pythons: list[str], *, iterations: int, count: int) -> dict[str, Timed]:
    """Ours and every peer that one of the Pythons can import, turn by turn."""
    image, seeds = tumour_crop()
    marked = np.zeros(SHAPE, np.uint8)
    marked[tuple(seeds.T)] = 1
    given = {
        "image": image,
        "seeds": marked,
        "spacing": np.array(SPACING, np.float32),
        "iterations": iterations,
        "repeats": REPEATS,
    }
    found: dict[str, Timed] = {"ours": Timed()}
    for _ in range(count):
        time_ours(image, seeds, iterations=iterations, timed=found["ours"])
        for name in PEERS:
            timed = found.get(name, Timed())
            if any(time_peer(name, python, given, timed=timed) for python in pythons):
                found[name] = timed
    return found


def main() -> int:
    """Prints seconds and ratios; exit status 1 where GeodisTK's map is not ours."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", action="append", default=[], help="may be given more than once")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sys.stdout.write("| iterations | method | s | ours / it | largest difference of the maps | correlation |\n")
    sys.stdout.write("| --- " * 6 + "|\n")
    is_equal = True
    for iterations in (2, 4):
        found = rounds(options.peer_python, iterations=iterations, count=options.rounds)
        is_equal &= _report(iterations, found)
    return 0 if is_equal else 1


def _report(iterations: int, found: dict[str, Timed]) -> bool:
    """One line a method; no time for a GeodisTK that differs."""
    ours, is_equal = found["ours"], True
    for name, timed in found.items():
        difference = float(np.abs(timed.exponentialized - ours.exponentialized).max())
        correlation = float(np.corrcoef(timed.exponentialized.ravel(), ours.exponentialized.ravel())[0, 1])
        told = f"{min(timed.seconds):.3f} | {min(ours.seconds) / min(timed.seconds):.3f}"
        if name == "GeodisTK" and difference > TOLERANCE:
            told, is_equal = "differs | –", False
        sys.stdout.write(f"| {iterations} | {name} | {told} | {difference:.1e} | {correlation:.3f} |\n")
    return is_equal


if __name__ == "__main__":
    sys.exit(main())
