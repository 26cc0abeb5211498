"""Time and memory of a case from its DICOM files to its pictures, step by step.

    python -m benchmarks.ingest_export [FOLDER ...]

Each folder holds the studies of one patient; without folders, the shared STS_001 (if it exists) and a phantom are used.
Each runs in a process of its own, so that peaks of memory are separate. The registration is shown but not in the sum.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from datasets.study.shipped_protocols import FIRST, shipped_protocol

REPOSITORY = Path(__file__).resolve().parents[1]
STS_001 = REPOSITORY.parent / "shared" / "data" / "sts" / "dicom" / "STS_001"
LIMIT_SECONDS = 5.0
LIMIT_MB = 3000.0
REGISTRATION = "registration (not in the sum)"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """One row of the table.

    Args:
        name: Name of the stage.
        seconds: Wall clock.
        processor_seconds: Of this process.
        peak_mb: Most memory the process had held by then, imports included.
        written_mb: Megabytes written in this stage.
    """

    name: str
    seconds: float
    processor_seconds: float
    peak_mb: float
    written_mb: float


class Stages:
    """Measures blocks of code that write to `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[Stage] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures the block."""
        written, wall, processor = self._written(), time.perf_counter(), time.process_time()
        yield
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.rows.append(Stage(name, wall, processor, peak_mb=peak, written_mb=self._written() - written))

    def _written(self) -> float:
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()) / 1e6


def measure(source: Path, folder: Path) -> list[Stage]:
    """Takes one patient's studies to pictures in `folder`, as ingest, registration and export do."""
    stages = Stages(folder)
    with stages.stage("imports"):
        from curation.pairing.pairing import load_images, pair_series
        from curation.registration.register import register
        from curation.registration.source_image import SourceImage
        from curation.scanning.scan import scan_folder
        from curation.slices.checkerboard import checkerboard
        from curation.slices.export import SliceSubject, export_slices
        from datasets.files import sha256_of_file, write_bytes
        from datasets.formats.nifti import read_volume, write_mask, write_volume
        from datasets.pictures.picture_plane import PicturePlane
        from datasets.study.case import CaseVolumes
    with stages.stage("look at every file"):
        scan = scan_folder(source, protocol=shipped_protocol(FIRST))
    with stages.stage("pair, digests of the files"):
        [pair] = pair_series(scan, protocol=shipped_protocol(FIRST)).pairs
    with stages.stage("read voxels and masks"):
        loaded = load_images(pair)
    with stages.stage("write series and masks, digests"):
        for role, volume in loaded.volumes.items():
            write_volume(folder / "series" / f"{role}.nii.gz", volume)
            for number, mask in enumerate(loaded.masks.get(role, {}).values()):
                write_mask(folder / "series" / f"{role}-{number}.nii.gz", mask)
        for path in sorted((folder / "series").iterdir()):
            sha256_of_file(path)
    with stages.stage("read series back"):
        series = {role: read_volume(folder / "series" / f"{role}.nii.gz") for role in loaded.volumes}
    del loaded
    with stages.stage(REGISTRATION):
        drawn = shipped_protocol(FIRST).drawn_role(pair.tissue_type)
        images = {role: SourceImage(volume, role=role, title=role.upper()) for role, volume in series.items()}
        fixed = images.pop(drawn)
        found = register(*images.values(), fixed)
    with stages.stage("write registered volumes, digests"):
        for role, volume in ((found.moving.role, found.moved), (drawn, found.still)):
            write_volume(folder / "registration" / f"{role}.nii.gz", volume)
            sha256_of_file(folder / "registration" / f"{role}.nii.gz")
        write_bytes(folder / "registration" / "checkerboard.png", checkerboard(found.moved, found.still))
    del found, series
    with stages.stage("check and read registered volumes"):
        paths = {role: folder / "registration" / f"{role}.nii.gz" for role in ("t1", "t2")}
        for path in paths.values():
            sha256_of_file(path)
        volumes = CaseVolumes({role: read_volume(path) for role, path in paths.items()})
    with stages.stage("pictures, every slice and preset"):
        plane = PicturePlane.of(volumes.grid)
        export_slices(volumes, plane, folder / "slices", subject=SliceSubject("C0001"))
    return stages.rows


def report(name: str, rows: list[Stage], tell: Tell) -> bool:
    """Prints the table.

    Returns:
        Whether the sum and the peak keep the limits.
    """
    tell(f"\n{name}\n{'stage':36}{'seconds':>9}{'processor':>11}{'written MB':>12}{'peak MB':>9}")
    for row in rows:
        tell(f"{row.name:36}{row.seconds:9.2f}{row.processor_seconds:11.2f}{row.written_mb:12.1f}{row.peak_mb:9.0f}")
    counted = [row for row in rows if row.name != REGISTRATION]
    seconds = sum(row.seconds for row in counted)
    processor, written = sum(row.processor_seconds for row in counted), sum(row.written_mb for row in counted)
    peak = max(row.peak_mb for row in rows)
    tell(f"{'sum beyond registration':36}{seconds:9.2f}{processor:11.2f}{written:12.1f}{peak:9.0f}")
    tell(f"limits: {LIMIT_SECONDS:g} s, {LIMIT_MB:g} MB")
    return seconds <= LIMIT_SECONDS and peak <= LIMIT_MB


def measured_apart(source: Path) -> list[Stage]:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.ingest_export", "--stages", str(source)]
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    answer = subprocess.run(  # noqa: S603 (our own module)
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    return [Stage(**row) for row in json.loads(answer.stdout.splitlines()[-1])]


def run(sources: list[Path], tell: Tell) -> bool:
    """Measures each folder, or the shared patient and a phantom.

    Returns:
        Whether all keep the limits.
    """
    tell(f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as made:
        if not sources:
            from datasets.phantom.cohort import write_phantom_cohort

            write_phantom_cohort(Path(made), patients=1)
            sources = [*([STS_001] if STS_001.exists() else []), Path(made)]
            if STS_001 not in sources:
                tell("NO REAL PATIENT beside the checkout: the phantom alone is measured.")
        kept = [
            report("phantom" if source == Path(made) else source.name, measured_apart(source), tell)
            for source in sources
        ]
    return all(kept)


def main(arguments: list[str]) -> int:
    """The command line; 0 when the limits are kept, 1 otherwise."""
    if arguments[:1] == ["--stages"]:
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(Path(arguments[1]), Path(folder))
        sys.stdout.write("\n" + json.dumps([asdict(row) for row in rows]) + "\n")
        return 0
    return 0 if run([Path(one) for one in arguments], lambda line: print(line, flush=True)) else 1  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
