"""No app asks for rows of an app above it through Django's reverse relations, which no import contract sees."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Model, QuerySet

ROOT = Path(__file__).resolve().parents[3]
LOWEST_FIRST = (
    *("accounts", "studies", "cases", "history", "stages", "registry", "inference", "labeling", "review", "readers"),
    *("work", "learning", "publishing"),
)
MANAGING = {name for name in dir(QuerySet) if not name.startswith("_")}
OF_CONTAINERS = {name for kind in (dict, list, tuple) for name in dir(kind)}
"""Such as `values` and `count`: asked of a relation only where what has it is called as its model is."""

Names = Mapping[str, set[str]]
"""By name of a relation: the models that have it, as a variable is called that holds one."""


def _from_above(app: str) -> Names:
    """Names by which models of this app and of those below it reach rows of the apps above it."""
    below = LOWEST_FIRST[: LOWEST_FIRST.index(app) + 1]
    models: list[type[Model]] = [model for label in below for model in apps.get_app_config(label).get_models()]
    found: dict[str, set[str]] = {}
    for model in models:
        for relation in model._meta.related_objects:
            above = relation.related_model
            is_ours = above.__module__.startswith("annotation_backend.")
            if is_ours and not relation.hidden and above._meta.app_label not in below:
                for name in {relation.name, relation.get_accessor_name()} - {None}:
                    found.setdefault(str(name), set()).add(str(model._meta.model_name))
    return found


def _reached(file: Path, names: Names) -> Iterator[str]:
    """Uses of such names in a file: rows asked of a relation, and paths of a query through it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            if _asks_rows(node.value, node.attr, names):
                yield f"{file.name}:{node.lineno} {node.value.attr}.{node.attr}"
        elif isinstance(node, ast.keyword) and _is_path(node.arg, names):
            yield f"{file.name}:{node.value.lineno} {node.arg}"
        elif isinstance(node, ast.Constant) and _is_path(node.value, names):
            yield f"{file.name}:{node.lineno} {node.value}"


def _asks_rows(relation: ast.Attribute, method: str, names: Names) -> bool:
    holder = ast.unparse(relation.value).rpartition(".")[2]
    is_meant = method not in OF_CONTAINERS or holder in names.get(relation.attr, set())
    return relation.attr in names and method in MANAGING and is_meant


def _is_path(text: object, names: Names) -> bool:
    first, separator, _ = text.partition("__") if isinstance(text, str) else ("", "", "")
    return first in names and bool(separator)


@pytest.mark.parametrize("app", LOWEST_FIRST)
def test_an_app_knows_nothing_of_the_rows_above_it(app: str) -> None:
    files = [file for file in (ROOT / "annotation_backend" / app).rglob("*.py") if "migrations" not in file.parts]
    assert [use for file in files for use in _reached(file, _from_above(app))] == []


def test_the_names_that_are_looked_for_are_those_of_the_tables_above() -> None:
    assert {"labeling_tasks", "masks", "releases"} <= _from_above("cases").keys()
    assert _from_above("publishing") == {}


@pytest.mark.parametrize(
    "line",
    [
        "case.labeling_tasks.exists()",
        "series.case.masks.count()",
        "Case.objects.filter(masks__isnull=True)",
        'values("labeling_tasks__pk")',
    ],
)
def test_a_use_of_a_relation_from_above_is_found(tmp_path: Path, line: str) -> None:
    file = tmp_path / "uses.py"
    file.write_text(line)
    assert len(list(_reached(file, _from_above("cases")))) == 1
