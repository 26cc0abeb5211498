"""Files beside a release: each is whole, old or new, wherever a crash comes, and the release itself is not touched."""

from pathlib import Path

import pytest

from datasets.release.correcting.beside import (
    Beside,
    beside,
    changes_beside,
    put_beside,
    put_changes,
    remove_changes,
)
from datasets.release.correcting.errata_file import ListedErratum, errata_file
from datasets.release.manifest_reading import read_manifest
from tests.datasets.release.samples import CODES, files_of
from tests.datasets.support.crashes import Crash, crash_at, file_operations

PICTURES = {"pictures/a.png": b"one", "pictures/b.png": b"two", "comparison.html": b"page"}


def test_a_file_is_written_where_it_is_another_and_removed_where_there_should_be_none(tmp_path: Path) -> None:
    folder = tmp_path / "tumours-1.0.0"
    assert put_beside(folder, Beside.ERRATA, b"1")
    assert not put_beside(folder, Beside.ERRATA, b"1")
    assert beside(folder, Beside.ERRATA) == tmp_path / "tumours-1.0.0.errata.json"
    assert put_beside(folder, Beside.ERRATA, None)
    assert not put_beside(folder, Beside.ERRATA, None)
    assert files_of(tmp_path) == {}


def test_the_list_of_errata_has_the_same_bytes_in_whatever_order_they_come(sound_release: Path) -> None:
    manifest = read_manifest((sound_release / "manifest.json").read_bytes())
    one = ListedErratum(2, CODES[0], "mask", "", (), "reported", "thigh-tumours-1.2.0")
    other = ListedErratum(
        1, CODES[1], "label", "Tumour", (3, 4), "declined", "thigh-tumours-1.2.0", answer="It is right."
    )
    assert errata_file(manifest, [one, other]) == errata_file(manifest, [other, one])
    content = errata_file(manifest, [one, other])
    assert content.index(b"It is right.") < content.index(b'"number": 2')


@pytest.mark.slow
@pytest.mark.parametrize("how", Crash)
@pytest.mark.parametrize("what", ["new", "changed", "removed"])
def test_a_crash_at_any_file_operation_leaves_the_old_or_the_new_file(tmp_path: Path, how: Crash, what: str) -> None:
    place = tmp_path / "out"
    place.mkdir()
    folder = place / "tumours-1.0.0"
    old, new = {"new": (None, b"new"), "changed": (b"old", b"new"), "removed": (b"old", None)}[what]

    def put() -> None:
        put_beside(folder, Beside.TOMBSTONE, new)

    def reset() -> None:
        put_beside(folder, Beside.TOMBSTONE, old)

    reset()
    count = file_operations(tmp_path, put)
    assert count >= 2
    for number in range(1, count + 1):
        reset()
        crash_at(tmp_path, put, number, how)
        path = beside(folder, Beside.TOMBSTONE)
        assert (path.read_bytes() if path.exists() else None) in (old, new), number
        put()
        assert (path.read_bytes() if path.exists() else None) == new, number


@pytest.mark.slow
@pytest.mark.parametrize("how", Crash)
def test_a_crash_leaves_all_pictures_of_changes_or_none(tmp_path: Path, how: Crash) -> None:
    folder = tmp_path / "out" / "tumours-1.0.1"

    def put() -> None:
        put_changes(folder, PICTURES)

    def remove() -> None:
        remove_changes(folder)

    for act, outcomes, undo in ((put, ({}, PICTURES), remove), (remove, (PICTURES, {}), put)):
        undo()
        count = file_operations(tmp_path, act)
        assert count > 2
        for number in range(1, count + 1):
            undo()
            crash_at(tmp_path, act, number, how)
            assert files_of(changes_beside(folder)) in outcomes, (act.__name__, number)
            act()
            assert files_of(changes_beside(folder)) == outcomes[1], (act.__name__, number)
