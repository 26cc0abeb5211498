"""What a release costs: building it, building the next version after few cases changed, and memory.

    python -m benchmarks.releases.building [--cases 100] [--shape 128 128 32] [--changed 0.01] [--folder FOLDER]

Cases are noisy phantoms with two images, whole numbers and fractions as scanners and registrations give them. Each step
runs in a process of its own, so that peaks of memory are separate. Seconds are the processor's, of user and system, so
that other work on the machine disturbs little. Printed is, too, what libraries for gzip do to one image and one mask.
How fast a release is read is for `benchmarks.releases.verifying`. Exit status 1 if a goal is missed.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.files import sha256_of_file
from datasets.formats.nifti import write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.release.build import ReleaseCase, ReleaseRole, ReleaseSettings, build_release
from datasets.release.codes import case_code, patient_code
from datasets.release.manifest_reading import read_manifest
from datasets.release.verify import verify_release
from datasets.study.case import QualityScore

GOAL_REBUILD = 0.05
"""Of a full build, where one case in a hundred changed."""

GOAL_MB = 300.0
SETTINGS = ReleaseSettings(
    name="benchmark",
    version="1.0.0",
    licence="CC0-1.0",
    roles=(ReleaseRole("t1", "T1-weighted", "t1"), ReleaseRole("t2", "T2-weighted", "t2")),
)
NEXT = replace(SETTINGS, version="1.0.1", follows="1.0.0")


def image(shape: tuple[int, int, int], seed: int) -> NDArray[np.float32]:
    """Whole numbers as a scanner gives them: air around a limb, tissue with noise."""
    random = np.random.default_rng(seed)
    i, j, _ = np.ogrid[: shape[0], : shape[1], : shape[2]]
    radius = (2 * i / shape[0] - 1) ** 2 + (2 * j / shape[1] - 1) ** 2
    clean = np.where(radius < 0.7, 300 + 250 * np.cos(9 * radius), 0)
    return np.asarray(np.maximum(np.rint(clean + random.normal(0, 12, shape)), 0), np.float32)


def _case(folder: Path, number: int, shape: tuple[int, int, int]) -> ReleaseCase:
    """A patient's case, written once; what lies there is taken."""
    grid = Grid(shape, np.diag([0.8, 0.8, 4.0, 1.0]))
    home = folder / f"{number:05d}"
    images, mask = {role: home / f"{role}.nii.gz" for role in ("t1", "t2")}, home / "mask.nii.gz"
    if not mask.exists():
        whole = image(shape, number)
        write_volume(images["t2"], Volume(whole, grid))
        write_volume(images["t1"], Volume(whole + np.float32(0.37) * np.roll(whole, 1, 0), grid))
        write_mask(mask, Mask((whole > np.quantile(whole, 0.97)).astype(np.uint8), grid))
    found = ReleaseCase(
        code=case_code(patient_code(number + 1), 1),
        tissue_type="fat",
        anatomical_site="thigh",
        images=images,
        drawn_role="t2",
        mask=mask,
        quality_score=QualityScore.SUFFICIENT,
    )
    return replace(found, sources={name: _recorded(path) for name, path in found.files.items()})


def _recorded(path: Path) -> str:
    """The digest that was written down for a file, as an installation's records have it."""
    kept = path.with_name(f"{path.name}.sha256")
    if not kept.exists():
        kept.write_text(sha256_of_file(path))
    return kept.read_text()


def cases_of(folder: Path, count: int, shape: tuple[int, int, int], *, changed: int = 0) -> list[ReleaseCase]:
    """The cases; the first ones with another mask where they are to have changed."""
    cases = [_case(folder, number, shape) for number in range(count)]
    for number in range(changed):
        other = _case(folder / "changed", count + number, shape)
        cases[number] = replace(cases[number], mask=other.mask, sources={**cases[number].sources, **_of_mask(other)})
    return cases


def _of_mask(case: ReleaseCase) -> dict[str, str]:
    return {"mask_file": case.sources["mask_file"]}


def step(name: str, folder: Path, count: int, shape: tuple[int, int, int], changed: int) -> dict[str, float]:
    """One step.

    Args:
        name: ``cases`` writes what is released, ``full`` builds, ``verify`` reads that, ``next`` builds after changes,
            and ``seen`` reads the next version, of which the one before was found sound.
        folder: Of cases and releases.
        count: Cases.
        shape: Voxels of each.
        changed: Cases that changed for the next version.
    """
    cases = cases_of(folder / "sources", count, shape, changed=changed if name in ("cases", "next") else 0)
    former, out = folder / "out/benchmark-1.0.0", folder / "out"
    import sklearn.model_selection  # noqa: F401  # draws the folds; loading it takes over a second, once a process

    wall, processor = time.perf_counter(), time.process_time()
    if name == "full":
        build_release(cases, SETTINGS, out)
    elif name == "next":
        assert build_release(cases, NEXT, out, earlier=former).taken_over == count - changed  # noqa: S101
    elif name == "verify":
        assert verify_release(former).is_sound  # noqa: S101
    elif name == "seen":
        seen = read_manifest((former / "manifest.json").read_bytes())
        assert verify_release(out / "benchmark-1.0.1", seen=seen).is_sound  # noqa: S101
    return {
        "seconds": time.process_time() - processor,
        "wall": time.perf_counter() - wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _in_a_process(name: str, options: argparse.Namespace, folder: Path, changed: int) -> dict[str, float]:
    shape = [str(size) for size in options.shape]
    command = [sys.executable, "-m", "benchmarks.releases.building", "--step", name, "--cases", str(options.cases)]
    command += ["--shape", *shape, "--folder", str(folder), "--changed", str(changed / options.cases)]
    answer = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=True
    )
    return dict(json.loads(answer.stdout))


def deflated(content: bytes) -> Iterator[tuple[str, float, float]]:
    """Library, megabytes a second, and size to the content's, of each way to make gzip."""
    import deflate
    from isal import isal_zlib

    ways: dict[str, Callable[[], object]] = {f"libdeflate {n}": lambda n=n: deflate.gzip_compress(content, n)
                                             for n in (1, 6, 9)}  # fmt: skip
    ways |= {f"zlib {n}": lambda n=n: zlib.compress(content, n) for n in (1, 6)}
    ways |= {f"ISA-L {n}": lambda n=n: isal_zlib.compress(content, n) for n in (1, 3)}
    for name, way in ways.items():
        begun = time.process_time()
        found = way()
        yield name, len(content) / 1e6 / (time.process_time() - begun), len(found) / len(content)  # type: ignore[arg-type]


def main(arguments: Sequence[str]) -> int:
    """Prints the figures; whether a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--shape", type=int, nargs=3, default=(128, 128, 32), metavar="VOXELS")
    parser.add_argument("--changed", type=float, default=0.01, help="share of the cases that change")
    parser.add_argument("--folder", type=Path, help="for cases and releases, kept; default: a temporary one")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    changed = max(1, round(options.changed * options.cases))
    if options.step:
        print(json.dumps(step(options.step, options.folder, options.cases, tuple(options.shape), changed)))  # noqa: T201
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        return _all(options, options.folder or Path(temporary), changed)


def _all(options: argparse.Namespace, folder: Path, changed: int) -> int:
    print(f"{platform.machine()}, Python {platform.python_version()}; {options.cases} cases of {options.shape} voxels")  # noqa: T201
    whole = image(tuple(options.shape), 0)
    for what, content in (("image", whole.astype(np.int16)), ("mask", (whole > 540).astype(np.uint8))):
        for name, speed, ratio in deflated(content.tobytes(order="F")):
            print(f"{what:6s} {name:14s} {speed:8.1f} MB/s, ratio {ratio:.4f}")  # noqa: T201
    names = ("cases", "full", "verify", "next", "seen")
    rows = {name: _in_a_process(name, options, folder, changed) for name in names}
    for name in names[1:]:
        row = rows[name]
        print(f"{name:6s} {row['seconds']:8.2f} s of processor, {row['wall']:8.2f} s, peak {row['peak_mb']:.0f} MB")  # noqa: T201
    ratio = rows["next"]["seconds"] / rows["full"]["seconds"]
    peak = max(rows["full"]["peak_mb"], rows["next"]["peak_mb"])
    print(f"next to full: {ratio:.4f} with {changed} changed; goal {GOAL_REBUILD}")  # noqa: T201
    print(f"peak: {peak:.0f} MB; goal {GOAL_MB:.0f}")  # noqa: T201
    return int(ratio > GOAL_REBUILD or peak > GOAL_MB)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
