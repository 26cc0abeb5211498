"""Tests use public names, so that what lies behind them may change: uses of others' private names are counted."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

MOST_USES = 16
"""Of private names in all tests and their helpers."""

LEFT = {
    "annotation_backend/everywhere/test_upward_relations.py": 3,  # `_meta`, which Django documents
    "annotation_backend/studies/older_rows.py": 1,  # the same
    "annotation_backend/support/arguments.py": 3,  # argparse says by no public name what a parser takes
    "datasets/dicom_pixels/test_decoding.py": 1,  # `os._exit`, which the library documents, in a forked process
    "datasets/release/exports/test_segment_codes.py": 1,  # pydicom keeps its dictionary of codes under no public name
    "datasets/release/stores/test_crashes.py": 2,  # `os._exit` again
    "datasets/release/stores/test_upload_and_fetch.py": 1,  # the same
    "datasets/support/crashes.py": 4,  # the same
}
"""Files with uses that are left, and how many; each has its reason."""

BY_NAME = {"setattr", "getattr", "delattr", "hasattr", "patch", "object"}
"""Calls that take an attribute's name as a word."""


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def _own_names(tree: ast.Module) -> set[str]:
    """What a file defines itself: its functions, classes, methods, variables and attributes."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_own(node.value):
            found.add(node.attr)
    return found


def _is_own(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def private_uses(source: str) -> list[str]:
    """Uses of private names that are not the file's own: attributes, imports, and words in calls such as `setattr`."""
    tree = ast.parse(source)
    used = [name for node in ast.walk(tree) for name in _names_in(node) if _is_private(name)]
    own = _own_names(tree) if used else set()
    return [name for name in used if name not in own]


def _names_in(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.ImportFrom):
        yield from (part for part in (node.module or "").split("."))
        yield from (name.name for name in node.names)
    elif isinstance(node, ast.Import):
        yield from (part for name in node.names for part in name.name.split("."))
    elif isinstance(node, ast.Call) and _called(node.func) in BY_NAME:
        words = [word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
        yield from (part for word in words if re.fullmatch(r"[\w.]+", word) for part in word.split("."))


def _called(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize(
    ("source", "used"),
    [
        ("module._name", ["_name"]),
        ("module._first.second._third()", ["_third", "_first"]),
        ("module._name = 3", ["_name"]),
        ("from package.module import _name, public", ["_name"]),
        ("from package._module import public", ["_module"]),
        ("monkeypatch.setattr('package.module._NAME', 3)", ["_NAME"]),
        ("patch.setattr(module, '_NAME', 3)", ["_NAME"]),
        ("getattr(module, '_name')", ["_name"]),
        ("def _name(): ...\nmodule._name", []),
        ("class Own:\n    def __init__(self):\n        self._name = 1\nOwn()._name", []),
        ("module.__name__, '_name', _, print('_name')", []),
        ("patch.setattr(module, 'name', '_T1 of 3')", []),
    ],
)
def test_each_form_of_use_is_seen(source: str, used: list[str]) -> None:
    assert private_uses(source) == used


@pytest.mark.slow
def test_tests_use_public_names() -> None:
    files = sorted(TESTS.rglob("*.py"))
    counts = {file.relative_to(TESTS).as_posix(): len(private_uses(file.read_text())) for file in files}
    assert {file: count for file, count in counts.items() if count} == LEFT
    assert sum(counts.values()) <= MOST_USES
