"""No app asks for rows of an app above it through Django's reverse relations, which no import contract sees."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Manager, Model

ROOT = Path(__file__).resolve().parents[3]
LOWEST_FIRST = ("accounts", "cases", "registry", "inference", "labeling", "review", "learning", "publishing")
MANAGING = {name for name in dir(Manager) if not name.startswith("_")} | {"exists", "first", "last", "delete", "update"}


def _from_above(app: str) -> set[str]:
    """Names by which models of this app and of those below it reach rows of the apps above it."""
    below = LOWEST_FIRST[: LOWEST_FIRST.index(app) + 1]
    models: list[type[Model]] = [model for label in below for model in apps.get_app_config(label).get_models()]
    relations = [relation for model in models for relation in model._meta.related_objects if not relation.hidden]
    above = [relation for relation in relations if relation.related_model._meta.app_label not in below]
    return {name for relation in above for name in (relation.name, relation.get_accessor_name()) if name}


def _reached(file: Path, names: set[str]) -> Iterator[str]:
    """Uses of such names in a file: rows asked of a relation, and paths of a query through it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            if node.value.attr in names and node.attr in MANAGING:
                yield f"{file.name}:{node.lineno} {node.value.attr}.{node.attr}"
        elif isinstance(node, ast.keyword) and node.arg and node.arg.partition("__")[0] in names and "__" in node.arg:
            yield f"{file.name}:{node.value.lineno} {node.arg}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            first, separator, _ = node.value.partition("__")
            if first in names and separator:
                yield f"{file.name}:{node.lineno} {node.value}"


@pytest.mark.parametrize("app", LOWEST_FIRST)
def test_an_app_knows_nothing_of_the_rows_above_it(app: str) -> None:
    files = [file for file in (ROOT / "annotation_backend" / app).rglob("*.py") if "migrations" not in file.parts]
    assert [use for file in files for use in _reached(file, _from_above(app))] == []


def test_the_names_that_are_looked_for_are_those_of_the_tables_above() -> None:
    assert {"labeling_tasks", "masks", "releases"} <= _from_above("cases")
    assert _from_above("publishing") == set()


@pytest.mark.parametrize(
    "line", ["case.labeling_tasks.exists()", "Case.objects.filter(masks__isnull=True)", 'values("labeling_tasks__pk")']
)
def test_a_use_of_a_relation_from_above_is_found(tmp_path: Path, line: str) -> None:
    file = tmp_path / "uses.py"
    file.write_text(line)
    assert len(list(_reached(file, _from_above("cases")))) == 1
