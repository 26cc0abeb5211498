"""The same cases and settings give the same bytes, whatever the machine is set to and whichever Python it has."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from datasets.release.build import build_release
from tests.datasets.release.samples import SETTINGS, files_of, write_cases

_BUILD = """
import os, sys, time
from pathlib import Path
os.umask(int(sys.argv[3], 8))
if sys.argv[4] == "one core":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
time.tzset()
from datasets.release.build import build_release
from tests.datasets.release.samples import SETTINGS, write_cases
build_release(write_cases(Path(sys.argv[1]))[::-1], SETTINGS, Path(sys.argv[2]))
print(".".join(map(str, sys.version_info[:3])))
"""

_ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The release as this process builds it."""
    folder = tmp_path_factory.mktemp("here")
    return files_of(build_release(write_cases(folder), SETTINGS, folder / "out").folder)


def _built(
    folder: Path, *, python: str = sys.executable, mask: str = "022", cores: str = "", **environment: str
) -> str:
    """Builds the release in another process; that Python's version."""
    command = [python, "-c", _BUILD, str(folder / "sources"), str(folder / "out"), mask, cores]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "OMP_NUM_THREADS") if name in os.environ}
    found = subprocess.run(command, cwd=_ROOT, env=kept | environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-2000:]
    return found.stdout.strip()


SURROUNDINGS = {
    "far-away": {
        **{"LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE.UTF-8", "LANGUAGE": "ar", "TZ": "Pacific/Kiritimati"},
        **{"PYTHONHASHSEED": "4711", "mask": "077", "cores": "one core", "OMP_NUM_THREADS": "1"},
    },
    "plain": {
        **{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "TZ": "America/Los_Angeles"},
        **{"OMP_NUM_THREADS": "7", "OPENBLAS_NUM_THREADS": "7"},
    },
}
"""Each child process takes seconds to begin, so each differs in many things at once."""


@pytest.mark.slow
@pytest.mark.parametrize("changes", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_other_surroundings_give_the_same_bytes(here: dict[str, bytes], tmp_path: Path, changes: dict) -> None:
    _built(tmp_path / "ein anderer Ort ü", **changes)
    assert files_of(tmp_path / "ein anderer Ort ü/out/thigh-tumours-1.2.0") == here


@pytest.mark.slow
def test_another_patch_version_of_python_gives_the_same_bytes(here: dict[str, bytes], tmp_path: Path) -> None:
    """With the packages of this environment, which fit all patch versions of one minor version."""
    own = ".".join(map(str, sys.version_info[:3]))
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = sysconfig.get_path("purelib")
    for python in sorted({f"/usr/bin/{name}", f"/usr/local/bin/{name}", shutil.which(name) or ""} - {""}):
        if Path(python).exists() and _version_of(python) not in ("", own):
            assert _built(tmp_path, python=python, PYTHONPATH=packages) != own
            assert files_of(tmp_path / "out/thigh-tumours-1.2.0") == here
            return
    pytest.skip("NO OTHER PATCH VERSION OF PYTHON ON THIS MACHINE: this test did not run.")


def _version_of(python: str) -> str:
    asked = [python, "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
