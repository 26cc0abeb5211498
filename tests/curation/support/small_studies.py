"""Small studies for the tests of pairing: a T1 and a T2 of eight by eight voxels, and a name that nothing may show."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from curation.pairing.pairing import Pairing, pair_series
from curation.scanning.scan import scan_folder
from datasets.formats.nifti import write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.phantom.scanner import Protocol, write_protocol
from tests.curation.support.protocols import MSTT

GRID = Grid((8, 8, 12), np.diag([-1.0, -1.0, 4.0, 1.0]))
T1 = Protocol(
    name="t1", description="AX T1", size=8, slices=12, gap_mm=4.0, sequence="SE", scan_options="",
    repetition_time_ms=550.0, echo_time_ms=12.0, number=3,
)  # fmt: skip
T2 = replace(T1, name="t2", description="AX T2 FS", scan_options="FS", repetition_time_ms=4000.0, echo_time_ms=80.0)
CANARY = "Canary^Nightingale"


def write(folder: Path, protocol: Protocol, *, visit: str = "1", patient: str = "CANARY-1", grid: Grid = GRID) -> Path:
    home = folder / patient / visit / protocol.description.replace(" ", "_")
    write_protocol(home, protocol, np.zeros(grid.shape, np.uint16), grid, identity=[visit, patient], name=CANARY)
    return home


def edit(home: Path, change: Callable[[Dataset], object]) -> None:
    for path in home.iterdir():
        dataset = dcmread(path)
        change(dataset)
        dataset.save_as(path)


def pairing_of(folder: Path) -> Pairing:
    pairing = pair_series(scan_folder(folder, protocol=MSTT), protocol=MSTT)
    shown = repr(pairing) + " ".join(map(str, pairing.findings))
    for secret in ("Nightingale", "CANARY-1", str(folder)):
        assert secret not in shown
    return pairing


def codes(pairing: Pairing) -> list[str]:
    return [finding.code for finding in pairing.findings]


def references(folder: Path) -> dict[str, str]:
    """Description to reference of every series."""
    return {found.evidence.series_description: found.reference for found in scan_folder(folder, protocol=MSTT).series}


def write_nifti_case(folder: Path, masks: dict[str, Mask]) -> None:
    t2_grid = Grid(GRID.shape, np.diag([-0.5, -0.5, 4.0, 1.0]))
    for name, grid in (("t1.nii.gz", GRID), ("t2_fs.nii.gz", t2_grid)):
        data = np.random.default_rng(0).random(grid.shape).astype(np.float32)
        write_volume(folder / "case" / name, Volume(data, grid))
    for name, mask in masks.items():
        write_mask(folder / "case" / name, mask)
