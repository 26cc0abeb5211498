"""The house is kept: no folder of too many files, and each room's head names the rooms beside it that it imports."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("annotation_backend", "curation", "datasets", "training")
MOST_FILES = 14
"""In one folder; more than that nobody takes in at a glance."""

NOT_COUNTED = {"migrations", "decisions", "results", "golden"}


def _folders() -> list[Path]:
    tops = [*(ROOT / floor for floor in FLOORS), ROOT / "benchmarks", ROOT / "tests"]
    inside = [folder for top in tops for folder in (top, *top.rglob("*")) if folder.is_dir()]
    return [folder for folder in inside if not {"__pycache__", *NOT_COUNTED} & set(folder.relative_to(ROOT).parts)]


def _rooms() -> list[Path]:
    """Packages beside other packages or files of one floor or app: what a newcomer opens doors to."""
    return [
        folder
        for folder in _folders()
        if folder.relative_to(ROOT).parts[0] in FLOORS and (folder / "__init__.py").exists() and _has_siblings(folder)
    ]


def _has_siblings(folder: Path) -> bool:
    is_of_django = folder.name in {"management", "commands", "models", "templatetags"}
    return folder.parent != ROOT and not is_of_django and folder.parent.name != "annotation_backend"


def test_no_folder_holds_more_files_than_one_takes_in_at_a_glance() -> None:
    counts = {folder: len(list(folder.glob("*.py"))) for folder in _folders()}
    assert {str(folder.relative_to(ROOT)): count for folder, count in counts.items() if count > MOST_FILES + 1} == {}


@pytest.mark.slow
@pytest.mark.parametrize("room", _rooms(), ids=lambda room: str(room.relative_to(ROOT)))
def test_the_head_of_a_room_names_the_rooms_that_it_imports(room: Path) -> None:
    head = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    assert head.split("\n")[0].endswith("."), "a sentence that says what lives there"
    named = set(re.findall(r"`([\w.]+)`", head))
    package = ".".join(room.parent.relative_to(ROOT).parts)
    missing = {
        name
        for name in _imported_siblings(room)
        if f"{package}.{name}".removeprefix("annotation_backend.") not in named
    }
    assert missing == set()


def _imported_siblings(room: Path) -> set[str]:
    package = ".".join(room.parent.relative_to(ROOT).parts)
    found = {name.removeprefix(f"{package}.").partition(".")[0] for name in _imports(room) if name.startswith(package)}
    return {name for name in found - {room.name} if (room.parent / name).is_dir()}


def _imports(room: Path) -> Iterator[str]:
    for file in room.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{name.name}" for name in node.names)
            elif isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
