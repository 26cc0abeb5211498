"""The files below a folder have one order and one number each, and nothing hidden is among them."""

from pathlib import Path

import pytest

from datasets.file_tree import FileTree, leads_outside


def _filled(folder: Path) -> FileTree:
    for name in ("b/2.txt", "a/1.txt", "a-/3.txt", "z.txt", ".hidden/4.txt", "a/.5.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "link").symlink_to(folder / "b")
    return FileTree.of(folder)


def test_files_are_numbered_in_the_order_of_their_paths(tmp_path: Path) -> None:
    tree = _filled(tmp_path)
    assert tree.paths == ("a-/3.txt", "a/1.txt", "b/2.txt", "link", "z.txt")
    assert tree.numbers["a/1.txt"] == 2
    assert (tree.hidden, tree.closed) == (1, ())
    assert tree.subject("a/1.txt", "z.txt") == "file 2, file 5"
    assert tree.subject(*tree.paths, "z.txt", "z.txt") == "file 1, file 2, file 3, file 4, file 5 and 2 others"
    assert str(tmp_path) not in repr(tree)


def test_a_tree_below_begins_to_count_again(tmp_path: Path) -> None:
    tree = _filled(tmp_path)
    assert tree.top == ("a-", "a", "b")
    below = tree.below("a")
    assert (below.paths, below.numbers) == (("1.txt",), {"1.txt": 1})
    assert below.file("1.txt").read_text() == "a/1.txt"


@pytest.mark.parametrize("path", ["/a", "\\\\a", "~/a", "../a", "a/../../b", "a\\..\\b", "C:a", "c:/a"])
def test_a_path_that_leads_outside_is_known(path: str) -> None:
    assert leads_outside(path)


@pytest.mark.parametrize("path", ["a", "a/b", "./a", "a..b/c", "ab:c"])
def test_a_path_inside_is_one(path: str) -> None:
    assert not leads_outside(path)
