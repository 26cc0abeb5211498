"""Speed of verifying a release against hashing its bytes with SHA-256 and nothing else.

`python -m benchmarks.releases.verifying` builds a release of phantoms and reads it, from memory that the system holds
already: bare SHA-256 of every file; verifying what was seen in a sound version (all bytes hashed, nothing inflated);
verifying everything, with zlib as ``verify.py`` does and with isal as `verify_release` does; and once more with what
the state knows. They take turns, of each the fewest seconds count. Seconds are the processor's, so that other work on
the machine disturbs little. Exit status 1 where what was seen is hashed at less than 0.9 of the bare rate.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.files import sha256_of_file
from datasets.formats.nifti import write_mask, write_volume
from datasets.gate import FastInflating
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.release.build import ReleaseCase, ReleaseRole, ReleaseSettings, build_release
from datasets.release.manifest_reading import read_manifest
from datasets.release.verification.checking import Request, verify

GOAL = 0.9
"""Goal: this share of the bare rate, for what was seen in a sound version."""

SHAPE = (448, 448, 40)
SETTINGS = ReleaseSettings(
    name="phantoms", version="1.0.0", licence="CC0-1.0", roles=(ReleaseRole("t1", "T1-weighted", "t1"),)
)


@dataclass(frozen=True)
class Rates:
    """Megabytes of the release's files in a second of the processor.

    Args:
        by_way: By what was done.
        ratio: Verifying what was seen against bare SHA-256.
    """

    by_way: Mapping[str, float]
    ratio: float


def verifying_rates(release: Path, *, rounds: int = 3) -> Rates:
    """Measures a release that lies in a folder, which must be sound.

    Args:
        release: Its folder.
        rounds: How often each way is measured.
    """
    files = [path for path in sorted(release.rglob("*")) if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    seen = read_manifest((release / "manifest.json").read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        ways: dict[str, Callable[[], object]] = {
            "bare SHA-256": lambda: _hashed(files),
            "verified, seen before": lambda: _sound(release, Request(seen=seen, inflating=FastInflating)),
            "verified, with isal": lambda: _sound(release, Request(inflating=FastInflating)),
            "verified, with zlib": lambda: _sound(release, Request()),
        }
        _sound(release, Request(state=state, inflating=FastInflating))
        ways["verified again, with its state"] = lambda: _sound(release, Request(state=state))
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                started = time.process_time()
                way()
                seconds[name].append(time.process_time() - started)
    rates = {name: size / 1e6 / min(each) for name, each in seconds.items()}
    return Rates(rates, rates["verified, seen before"] / rates["bare SHA-256"])


def phantom_release(folder: Path, *, cases: int) -> Path:
    """A release of noisy images of whole numbers, as scanners give them, with a ball as mask; about 9 MB a case."""
    grid = Grid(SHAPE, np.diag([0.6, 0.6, 4.0, 1.0]))
    ball = sum((axis - size / 2) ** 2 for axis, size in zip(np.ogrid[tuple(map(slice, SHAPE))], SHAPE, strict=True))
    made = []
    for number in range(1, cases + 1):
        random, place = np.random.default_rng(number), folder / "sources" / str(number)
        image = np.rint(np.abs(random.normal(200, 40, SHAPE)) + 300 * (ball < 900)).astype(np.float32)
        write_volume(place / "t1.nii.gz", Volume(image, grid))
        write_mask(place / "mask.nii.gz", Mask((ball < 900).astype(np.uint8), grid))
        case = ReleaseCase(
            code=f"sub-{number:04}_ses-1",
            tissue_type="fat",
            anatomical_site="thigh",
            images={"t1": place / "t1.nii.gz"},
            drawn_role="t1",
            mask=place / "mask.nii.gz",
            sources={},
        )
        made.append(case)
    return build_release(made, SETTINGS, folder / "releases").folder


def _hashed(files: list[Path]) -> None:
    for file in files:
        sha256_of_file(file)


def _sound(release: Path, request: Request) -> None:
    found = verify(release, request)
    if not found.is_sound:
        raise RuntimeError(f"The release is not sound: {found.faults[:3]}")


def main() -> int:
    """Measures and prints; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("release", nargs="?", type=Path, help="a release's folder (default: one of phantoms)")
    parser.add_argument("--cases", type=int, default=20, help="of the phantoms' release")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        release = options.release or phantom_release(Path(folder), cases=options.cases)
        found = verifying_rates(release, rounds=options.rounds)
    for name, rate in found.by_way.items():
        sys.stdout.write(f"{name:32} {rate:9.1f} MB/s\n")
    sys.stdout.write(f"seen before against bare SHA-256: {found.ratio:.2f} (goal {GOAL})\n")
    return 0 if found.ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
