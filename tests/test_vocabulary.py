"""One vocabulary: no file and no public name holds a word that the glossary forbids; a type alias is declared once."""

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("annotation_backend", "curation", "datasets", "training")

STORED = {
    "NamedDrawer": "a model, with its table",
}
"""Names that hold a forbidden word because something stored is called so, and what."""

_ROW = re.compile(r"^\| ([\w ]+) \| [^|]+ \|([^|]*)\|$", re.MULTILINE)
_BOLD = re.compile(r"\*\*([\w -]+)\*\*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ALIASED = ("Callable", "Mapping", "NDArray", "Sequence", "dict", "list", "set", "tuple")

Words = tuple[str, ...]


def _parts(name: str) -> Words:
    return tuple(part.lower() for part in _PART.findall(name))


def _columns() -> tuple[list[Words], list[Words]]:
    """The words of the glossary, and those that it forbids."""
    rows = _ROW.findall((ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"))
    return [_parts(word) for word, _ in rows], [_parts(one) for _, others in rows for one in _BOLD.findall(others)]


OURS, FORBIDDEN = _columns()


def _held(name: str) -> list[str]:
    """The forbidden words in a name, also in the plural."""
    parts = [part.removesuffix("s") for part in _parts(name)]
    spelt = f" {' '.join(parts)} "
    return [" ".join(words) for words in FORBIDDEN if f" {' '.join(one.removesuffix('s') for one in words)} " in spelt]


def _modules(floors: Iterable[str]) -> dict[str, ast.Module]:
    files = [path for floor in floors for path in (ROOT / floor).rglob("*.py") if path.parent.name != "migrations"]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in files}


def _public(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if not name.startswith("_"))


def _names(node: ast.AST) -> Iterator[str]:
    """The public names that a module, class or function gives: its own, its members', its arguments' and aliases."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if not child.name.startswith("_") or child.name == "__init__":
                yield from (child.name, *_names(child))
        elif isinstance(child, ast.arguments):
            yield from (each.arg for each in (*child.posonlyargs, *child.args, *child.kwonlyargs))
        elif isinstance(child, ast.Import | ast.ImportFrom):
            yield from (each.asname for each in child.names if each.asname)
        elif isinstance(child, ast.Assign | ast.AnnAssign):
            yield from _public(_assigned(child, is_local=isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)))
        elif isinstance(child, ast.If | ast.Try | ast.With | ast.For):
            yield from _names(child)


def _assigned(node: ast.Assign | ast.AnnAssign, *, is_local: bool) -> Iterator[str]:
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        for part in ast.walk(target):
            if isinstance(part, ast.Attribute):
                yield part.attr
            elif isinstance(part, ast.Name) and not is_local:
                yield part.id


def test_the_glossary_is_read_and_forbids_none_of_its_own_words() -> None:
    assert len(OURS) > 40
    assert len(FORBIDDEN) > 25
    assert not set(OURS) & set(FORBIDDEN)


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("NamedDrawer", ["drawer"]),
        ("LESSONS_TOGETHER", ["lesson"]),
        ("the_ground_truths", ["ground truth"]),
        ("truth_on_the_ground", []),
        ("handle", []),
        ("expertise", []),
    ],
)
def test_a_forbidden_word_is_found_as_a_word(name: str, held: list[str]) -> None:
    assert _held(name) == held


@pytest.mark.parametrize("floor", FLOORS)
def test_no_file_holds_a_forbidden_word(floor: str) -> None:
    files = [path for path in (ROOT / floor).rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__"]
    assert {str(path.relative_to(ROOT)): held for path in files if (held := _held(path.stem))} == {}


@pytest.mark.slow
@pytest.mark.parametrize("floor", FLOORS)
def test_no_public_name_holds_a_forbidden_word(floor: str) -> None:
    found = defaultdict(set)
    for file, module in _modules([floor]).items():
        for name in set(_names(module)) - set(STORED):
            if held := _held(name):
                found[file].add((name, *held))
    assert dict(found) == {}


@pytest.mark.slow
def test_every_name_that_is_left_for_what_is_stored_is_there_and_needs_it() -> None:
    names = {name for module in _modules(FLOORS).values() for name in _names(module)}
    assert set(STORED) <= names
    assert all(map(_held, STORED))


@pytest.mark.slow
@pytest.mark.parametrize("folders", [FLOORS, ["tests"]], ids=["floors", "tests"])
def test_a_type_alias_is_declared_once(folders: Collection[str]) -> None:
    found = defaultdict(set)
    for file, module in _modules(folders).items():
        for name, meaning in _aliases(module):
            found[name.removeprefix("_"), meaning].add(file)
    assert {alias: files for alias, files in found.items() if len(files) > 1} == {}


def _aliases(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _is_a_type(node.value):
            yield node.targets[0].id, ast.unparse(node.value)


def _is_a_type(value: ast.expr) -> bool:
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.BitOr) and _is_a_type(value.left)
    return isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name) and value.value.id in _ALIASED
