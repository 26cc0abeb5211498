"""A crash at any file operation of a withdrawal or of the version that corrects: the old state or the new one.

What the records say and what lies beside the releases may part in between; doing it again makes both what they would
have been without the crash.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from annotation_backend.accounts.models import Role
from annotation_backend.cases.models import Patient, Withdrawal
from annotation_backend.publishing.correcting.beside_releases import tell_beside
from annotation_backend.publishing.correcting.errata import accept, report
from annotation_backend.publishing.correcting.withdrawing import withdraw_patient
from annotation_backend.publishing.models import Erratum, Release
from annotation_backend.publishing.services import publish_release
from annotation_backend.review.models import Review
from tests.annotation_backend.publishing.correcting.conftest import Redrawn, approved_case, said_of, version
from tests.annotation_backend.support.on_disk import database_on_disk, in_a_thread
from tests.annotation_backend.support.records import accounts, the_study
from tests.datasets.release.samples import files_of
from tests.datasets.support.crashes import Crash, crash_at, file_operations

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

BUILDS_OWN, AFTERWARDS, NEAR = 90, 48, 8
"""Of the operations of a build, which tests/datasets/release/test_crashes.py goes through one by one, every so many; of
the last so many, which lay files beside the releases, every so many."""


class Stage:
    """A data folder and a database on the disk, which are put back before each crash."""

    def __init__(self, folder: Path) -> None:
        self.data, self._database = folder / "data", folder / "maskloop.sqlite3"
        self._kept = folder / "kept"

    @property
    def releases(self) -> dict[str, bytes]:
        """All files of and beside the releases, but for locks and what a killed build left."""
        found = files_of(self.data / "releases")
        return {path: content for path, content in found.items() if not path.startswith(".")}

    def keep(self) -> None:
        """From here it begins each time."""
        shutil.copytree(self.data, self._kept / "data")
        shutil.copy(self._database, self._kept)

    def reset(self) -> None:
        """Puts everything back."""
        shutil.rmtree(self.data)
        shutil.copytree(self._kept / "data", self.data)
        for path in self._database.parent.glob("maskloop.sqlite3*"):
            path.unlink()
        shutil.copy(self._kept / self._database.name, self._database)


@pytest.fixture
def stage(tmp_path: Path, settings) -> Iterator[Stage]:
    """Version 1.0.0 with two cases."""
    settings.DATA_FOLDER = tmp_path / "data"
    people = accounts()
    for code in ("C0001", "C0002"):
        approved_case(code, people[Role.RADIOLOGIST])
    with database_on_disk(tmp_path / "maskloop.sqlite3"):
        in_a_thread(lambda: publish_release(the_study(), version("1.0.0")))
        yield Stage(tmp_path)


def _acted_out(
    stage: Stage, act: Callable[[], object], how: Crash, numbers: Callable[[int], Iterable[int]] = range
) -> Iterator[int]:
    """Crashes at operation after operation; yields each number, from 0, once the crash has come."""
    stage.keep()
    count = file_operations(stage.data, lambda: in_a_thread(act))
    assert count > 4
    for number in numbers(count):
        stage.reset()
        crash_at(stage.data, lambda: in_a_thread(act), number + 1, how)
        yield number


def _of_a_build(count: int) -> list[int]:
    return sorted({*range(0, count, BUILDS_OWN), *range(count - AFTERWARDS, count, NEAR), count - 1})


@pytest.mark.parametrize("how", Crash)
def test_a_withdrawal_is_there_or_not_and_tombstones_follow(stage: Stage, how: Crash) -> None:
    before = stage.releases

    def withdraw() -> None:
        withdraw_patient(Patient.objects.get(code="P0002"), reason="Wrote to us.")

    def again() -> None:
        if not Withdrawal.objects.exists():
            withdraw()
        tell_beside(the_study())  # as the reconciler does

    whole: dict[str, bytes] = {}
    for number in _acted_out(stage, withdraw, how):
        left = stage.releases
        stone = left.pop("tumours-1.0.0.tombstone.json", None)
        assert left == before, number
        assert stone is None or in_a_thread(Withdrawal.objects.count) == 1, number
        in_a_thread(again)
        whole = whole or stage.releases
        assert stage.releases == whole, number
    assert set(whole) - set(before) == {"tumours-1.0.0.tombstone.json"}


@pytest.mark.parametrize("how", Crash)
def test_the_version_that_corrects_and_is_without_a_patient_is_there_or_not(
    stage: Stage, how: Crash, redrawn: Redrawn
) -> None:
    study = the_study

    def prepare() -> Review:
        accept(report(study(), said_of(Release.objects.get(), "sub-0001_ses-1")))
        withdraw_patient(Patient.objects.get(code="P0002"), reason="Wrote to us.")
        return redrawn("C0001")

    def build() -> None:
        publish_release(study(), version("1.0.1"))

    in_a_thread(prepare)
    before = stage.releases
    stage.keep()
    in_a_thread(build)
    whole = stage.releases
    stage.reset()
    shutil.rmtree(stage.data.parent / "kept")
    new = {path for path in whole if path.startswith("tumours-1.0.1/")}
    beside = {path for path in whole if path not in before} - new
    assert {path.partition("/")[0] for path in beside} == {"tumours-1.0.1.changes", "tumours-1.0.1.proof.json"}
    for number in _acted_out(stage, build, how, _of_a_build):
        _require_old_or_new(stage, before, whole, new, number)
        in_a_thread(build)
        assert stage.releases == whole, number
        assert in_a_thread(lambda: Erratum.objects.get().state) == "corrected", number


def _require_old_or_new(
    stage: Stage, before: dict[str, bytes], whole: dict[str, bytes], new: set[str], number: int
) -> None:
    """The former version as it was; of the new one all or nothing; of each file beside the old or the new bytes."""
    left = stage.releases
    assert {path for path in left if path.startswith("tumours-1.0.1/")} in (set(), new), number
    for path, content in left.items():
        assert content in (before.get(path), whole.get(path)), (number, path)
    corrected = in_a_thread(lambda: Erratum.objects.get().state) == "corrected"
    recorded = in_a_thread(lambda: Release.objects.filter(version="1.0.1").exists())
    assert corrected == recorded, number
    assert not recorded or new <= set(left), number
