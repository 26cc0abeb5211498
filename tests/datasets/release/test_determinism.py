"""The same cases and settings give the same release and the same exports, byte by byte, whatever the machine is set to
and whichever Python it has."""

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.release.build import build_release
from datasets.release.exports.export import plan_export, write_export
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.options import ExportOptions
from datasets.release.exports.source import open_release
from datasets.release.settings import by_protocol
from datasets.study.shipped_protocols import shipped_protocol
from tests.datasets.release.describing.samples import PUBLICATION
from tests.datasets.release.samples import SETTINGS, files_of, write_cases

_BUILD = """
import os, sys, time
from pathlib import Path
os.umask(int(sys.argv[3], 8))
if sys.argv[4] == "one core":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
time.tzset()
from tests.datasets.release.test_determinism import written
written(Path(sys.argv[1]), Path(sys.argv[2]), is_backwards=True)
print(".".join(map(str, sys.version_info[:3])))
"""

_ROOT = Path(__file__).parents[3]


def written(sources: Path, out: Path, *, is_backwards: bool = False) -> Path:
    """A release with all that describes it, and its exports into every format beside it; their folder."""
    cases = write_cases(sources)
    described = by_protocol(replace(SETTINGS, publication=PUBLICATION), shipped_protocol("mstt-199"))
    release = open_release(build_release(cases[::-1] if is_backwards else cases, described, out / "releases").folder)
    for name, form in FORMATS.items():
        write_export(plan_export(release, form, ExportOptions()), out / name)
    return out


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The release and its exports as this process writes them."""
    folder = tmp_path_factory.mktemp("here")
    return files_of(written(folder / "sources", folder / "out"))


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
    assert files_of(tmp_path / "ein anderer Ort ü/out") == here


def test_what_is_compared_is_all_that_a_release_can_hold(here: dict[str, bytes]) -> None:
    folders = {path.partition("/")[0] for path in here}
    names = {path.rpartition("/")[2] for path in here if path.startswith("releases/")}
    assert folders == {"releases", *FORMATS}
    assert {"verify.py", "croissant.json", "datacite.json", "CITATION.cff", "README.html", "manifest.json"} <= names


@pytest.mark.slow
def test_another_patch_version_of_python_gives_the_same_bytes(here: dict[str, bytes], tmp_path: Path) -> None:
    """With the packages of this environment, which fit all patch versions of one minor version."""
    own = ".".join(map(str, sys.version_info[:3]))
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = sysconfig.get_path("purelib")
    for python in sorted({f"/usr/bin/{name}", f"/usr/local/bin/{name}", shutil.which(name) or ""} - {""}):
        if Path(python).exists() and _version_of(python) not in ("", own):
            assert _built(tmp_path, python=python, PYTHONPATH=packages) != own
            assert files_of(tmp_path / "out") == here
            return
    pytest.skip("NO OTHER PATCH VERSION OF PYTHON ON THIS MACHINE: this test did not run.")


def _version_of(python: str) -> str:
    asked = [python, "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
