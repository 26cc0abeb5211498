"""Archives come out as they went in, or are refused by name, and nothing is ever written outside of the folder."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from datasets.archives.budget import ArchiveBudget
from datasets.archives.unpack import unpack
from datasets.errors import RejectedInput
from tests.datasets.archives.bad_archives import BAD_ARCHIVES, SOUND, tarred, zipped


def _packed(folder: Path, content: bytes) -> Path:
    path = folder / "packed"
    path.write_bytes(content)
    return path


def _held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "content", [zipped(SOUND), tarred(SOUND), tarred(SOUND, mode="w:gz")], ids=["zip", "tar", "tar.gz"]
)
def test_files_come_out_as_they_went_in(tmp_path: Path, content: bytes) -> None:
    out = tmp_path / "out"
    out.mkdir()
    seen: list[tuple[int, int]] = []
    count = unpack(_packed(tmp_path, content), out, progress=lambda done, total: seen.append((done, total)))
    assert _held(out) == SOUND
    assert count == len(SOUND)
    assert seen[-1][0] == seen[-1][1]


def test_what_systems_pack_along_is_left_out(tmp_path: Path) -> None:
    added = {"__MACOSX/set/._a": b"0", "set/._dataset.json": b"0", ".DS_Store": b"0", "./set/b.json": b"1"}
    out = tmp_path / "out"
    out.mkdir()
    assert unpack(_packed(tmp_path, zipped(SOUND | added)), out) == len(SOUND) + 1
    assert _held(out) == SOUND | {"set/b.json": b"1"}


def test_an_archive_in_an_archive_stays_one(tmp_path: Path) -> None:
    inner = zipped({"a": zipped({"b": b"c"})})
    (tmp_path / "out").mkdir()
    unpack(_packed(tmp_path, zipped({"inner.zip": inner})), tmp_path / "out")
    assert _held(tmp_path / "out") == {"inner.zip": inner}


@pytest.mark.parametrize("name", BAD_ARCHIVES)
def test_a_bad_archive_is_refused_by_name(tmp_path: Path, name: str) -> None:
    code, content = BAD_ARCHIVES[name]
    (tmp_path / "in" / "out").mkdir(parents=True)
    budget = ArchiveBudget(ratio_free_bytes=1 << 20)  # so that the bombs may be small
    with pytest.raises(RejectedInput) as refused:
        unpack(_packed(tmp_path, content()), tmp_path / "in" / "out", budget=budget)
    assert refused.value.code == code
    assert refused.value.remedy
    assert "set/" not in str(refused.value)
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(tmp_path / "in/out")]
    assert outside == [tmp_path / "packed"]
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_every_number_of_the_list_has_its_case() -> None:
    numbers = {match[0] for name in BAD_ARCHIVES if (match := re.match(r"\d+", name))}
    assert numbers == {"44", "45", "48"}


@pytest.mark.parametrize("packs", [zipped, tarred], ids=["zip", "tar"])
@pytest.mark.parametrize(
    ("budget", "code"),
    [(ArchiveBudget(entries=2), "archive-entries"), (ArchiveBudget(entry_bytes=99), "archive-entry-too-large")],
)
def test_a_budget_is_kept(
    tmp_path: Path, packs: Callable[[dict[str, bytes]], bytes], budget: ArchiveBudget, code: str
) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(RejectedInput) as refused:
        unpack(_packed(tmp_path, packs(SOUND)), tmp_path / "out", budget=budget)
    assert refused.value.code == code


def test_what_does_not_fit_onto_the_disk_is_refused_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.archives.budget.KEPT_FREE_BYTES", 1 << 62)
    (tmp_path / "out").mkdir()
    with pytest.raises(RejectedInput) as refused:
        unpack(_packed(tmp_path, zipped(SOUND)), tmp_path / "out")
    assert refused.value.code == "archive-too-large"
    assert _held(tmp_path / "out") == {}
