"""Bad inputs 1 to 43 beside a sound patient: each is named by its own code, costs little, and spares other patients."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.pairing.pairing import load_images, pair_series
from curation.scanning.scan import scan_folder
from datasets.dicom.file import without_warnings
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.phantom.cohort import write_phantom_cohort
from tests.curation.support.bad_folders import BAD_FOLDERS, BAD_PATIENT, BOMBS, BadFolder
from tests.curation.support.protocols import MSTT
from tests.datasets.support.bad_inputs import CANARY

MOST_SECONDS = 5.0
"""Far more than measured: other programs run on the machine too."""

MOST_MEMORY = 200e6

_seconds: dict[str, float] = {}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One phantom patient."""
    folder = tmp_path_factory.mktemp("sound")
    write_phantom_cohort(folder, patients=1, prefix="SOUND")
    (folder / "cases.csv").unlink()
    return folder


@pytest.fixture(scope="module")
def sound_seconds(sound: Path) -> float:
    """How long the sound patient takes alone; the quicker of two."""
    times = []
    for _ in range(2):
        started = time.perf_counter()
        codes, loaded = ingest(sound)
        times.append(time.perf_counter() - started)
    assert (codes, len(loaded)) == (set(), 1)
    return min(times)


def ingest(folder: Path) -> tuple[set[str], list[str]]:
    """Scans, pairs and loads a folder as ingest does; every code that was said, and the patients that loaded."""
    scan = scan_folder(folder, protocol=MSTT)
    pairing = pair_series(scan, protocol=MSTT)
    findings = [*scan.findings, *pairing.findings]
    codes = {code for patient in pairing.patients for one in patient.considered for code in one.left_out}
    loaded = []
    for pair in pairing.pairs:
        try:
            voxels = load_images(pair)
        except RejectedInput as error:
            findings.append(Finding(Level.ERROR, error.code, error.message, error.remedy))
            continue
        loaded.append(pair.patient_key)
        findings += voxels.findings
        assert all(volume.data.shape == volume.grid.shape for volume in voxels.volumes.values())
    shown = " ".join([repr(scan), repr(pairing), *map(str, findings)])
    for secret in (CANARY, "Nightingale", BAD_PATIENT, "SOUND-0001", str(folder)):
        assert secret not in shown
    said = codes | {finding.code for finding in findings}
    return said - {"localizer"}, loaded  # every phantom has one


@pytest.mark.slow
@pytest.mark.parametrize("bad", BAD_FOLDERS, ids=lambda bad: bad.name)
def test_a_bad_input_is_named_and_the_sound_patient_pairs(
    sound: Path, sound_seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: BadFolder
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(sound, folder / "sound", copy_function=os.link)
    (folder / "bad").mkdir()
    with without_warnings():
        bad.write(folder / "bad")
    if bad.patch is not None:
        bad.patch(monkeypatch, folder / "bad")
    started = time.perf_counter()
    codes, loaded = ingest(folder)
    elapsed = time.perf_counter() - started - sound_seconds
    _seconds[bad.name] = elapsed
    assert "SOUND-0001" in loaded
    assert elapsed < MOST_SECONDS
    if bad.code is not None:
        assert bad.code in codes
    if bad.pairs is not None:
        assert len(loaded) == 1 + bad.pairs, codes


def test_every_number_of_the_list_has_its_case(tell_figure: Callable[[str], None]) -> None:
    assert {bad.number for bad in BAD_FOLDERS} == set(range(1, 44))
    slowest = sorted(_seconds.items(), key=lambda item: -item[1])[:3]
    told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in slowest)
    tell_figure(f"bad inputs 1-43: {len(_seconds)} folders beside a sound patient; the slowest beyond it: {told}")


_MEASURE = r"""
import re, resource, sys
from pathlib import Path
from datasets.dicom_pixels.decoding import end_decoding
from tests.curation.scanning.test_bad_inputs import ingest
from tests.curation.support.protocols import MSTT
def peak():  # getrusage's figure for this process begins with what its parent had
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
small, folders = int(sys.argv[1]), [Path(folder) for folder in sys.argv[2:]]
for folder in folders[:small]:
    assert len(ingest(folder)[1]) == 1
before = peak()
for folder in folders[small:]:
    ingest(folder)
end_decoding()
print((peak() - before) * 1024, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no Linux, no peak of memory to read")
def test_bombs_take_no_memory(tmp_path: Path, tell_figure: Callable[[str], None]) -> None:
    """All of them in one process, which has read a few kilobytes before, and the processes that it starts."""
    folders: list[Path] = []
    small = [bad for bad in BAD_FOLDERS if bad.name in ("40-age", "15-no-slope")]
    for bad in [*small, *BOMBS]:
        folders.append(tmp_path / str(len(folders)))
        folders[-1].mkdir()
        bad.write(folders[-1])
    command = [sys.executable, "-c", _MEASURE, str(len(small)), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    grown, children = map(int, done.stdout.split())
    tell_figure(f"{len(BOMBS)} bombs: {grown / 1e6:.0f} MB more than small files, decoder {children / 1e6:.0f} MB")
    assert grown + children < MOST_MEMORY
