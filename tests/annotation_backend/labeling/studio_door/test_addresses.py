"""The door's table lists every address of Label Studio, by every method that it answers, each with who comes in."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from annotation_backend.environment import ROOT
from annotation_backend.labeling.studio_door.addresses import TABLE, Row, Table, Who, read_table
from annotation_backend.labeling.studio_server.server import data_folder, environment

_WALK = """
import json, os, sys, label_studio
sys.path.insert(0, os.path.dirname(label_studio.__file__))
import django
django.setup()
from django.urls import URLResolver, get_resolver

ALL = ["GET", "POST", "PUT", "PATCH", "DELETE"]

def methods_of(view):
    if getattr(view, "actions", None):
        return [name.upper() for name in view.actions if name.upper() in ALL]
    of = getattr(view, "cls", None) or getattr(view, "view_class", None)
    return ALL if of is None else [name for name in ALL if hasattr(of, name.lower())]

def walk(patterns, above=""):
    for one in patterns:
        route = URLResolver._join_route(above, str(one.pattern))
        if hasattr(one, "url_patterns"):
            yield from walk(one.url_patterns, route)
        else:
            yield from ((method, route) for method in methods_of(one.callback))

print(json.dumps(sorted(set(walk(get_resolver().url_patterns)))))
"""

CLOSED = {Who.ADMINISTRATOR, Who.NOBODY, Who.OURSELVES}


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Method and route of all that Label Studio answers, as its own resolver has them."""
    from django.conf import settings
    from django.test import override_settings

    with override_settings(DATA_FOLDER=tmp_path_factory.mktemp("label-studio")):
        data_folder().mkdir(parents=True)
        variables = environment()
    assert settings.DATA_FOLDER
    done = subprocess.run(
        [sys.executable, "-c", _WALK], env=variables, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {(method, route) for method, route in json.loads(done.stdout.splitlines()[-1])}


def unlisted(answered: set[tuple[str, str]], table: Table) -> set[tuple[str, str]]:
    """What Label Studio answers and nobody listed."""
    return answered - {(method, row.route) for row in table.rows for method in row.methods}


@pytest.mark.slow
def test_every_address_of_label_studio_is_listed(answered: set[tuple[str, str]]) -> None:
    assert unlisted(answered, TABLE) == set()
    assert len({route for _, route in answered}) == 348


@pytest.mark.slow
def test_what_is_listed_is_there(answered: set[tuple[str, str]]) -> None:
    assert {(method, row.route) for row in TABLE.rows for method in row.methods} - answered == set()


@pytest.mark.slow
def test_an_address_that_nobody_listed_is_found(answered: set[tuple[str, str]]) -> None:
    for at in (0, 100, len(TABLE.rows) - 1):
        left_out = TABLE.rows[at]
        table = Table([row for row in TABLE.rows if row is not left_out])
        assert unlisted(answered, table) == {(method, left_out.route) for method in left_out.methods}


def test_no_method_of_an_address_is_listed_twice() -> None:
    counts = Counter((method, row.route) for row in TABLE.rows for method in row.methods)
    assert [one for one, count in counts.items() if count > 1] == []


def test_an_address_that_is_not_listed_is_closed_to_everybody() -> None:
    assert TABLE.who("GET", "^api/brand-new/") is Who.NOBODY
    assert TABLE.who("OPTIONS", "^api/tasks/") is Who.NOBODY
    assert TABLE.who("HEAD", "^api/tasks/") is Who.TASKS


def test_what_people_may_change_is_their_drawing_alone() -> None:
    """Frozen: whoever opens one more to people says so here."""
    changing = {
        (method, row.route, row.who.value)
        for row in TABLE.rows
        for method in row.methods - {"GET"}
        if row.who not in CLOSED
    }
    assert changing == {
        ("POST", "^api/dm/actions/", "next task"),
        ("POST", "^api/ml/<int:pk>/interactive-annotating", "prompt"),
        ("POST", "^api/tasks/<int:pk>/annotations/", "drawing"),
        ("PATCH", "^api/annotations/<int:pk>/", "own annotation"),
        ("DELETE", "^api/annotations/<int:pk>/", "own skip"),
        ("POST", "^api/tasks/<int:pk>/drafts", "drafting"),
        ("POST", "^api/tasks/<int:pk>/annotations/<int:annotation_id>/drafts", "drafting"),
        ("PATCH", "^api/drafts/<int:pk>/", "draft"),
        ("DELETE", "^api/drafts/<int:pk>/", "draft"),
    }


def test_what_anybody_reads_without_signing_in_holds_nothing_of_a_study() -> None:
    assert {row.route for row in TABLE.rows if row.who is Who.ANYBODY} == {
        *("maskloop/enter", "health/", "^logout/?$", "^sw\\.js$", "^sw-fallback\\.js$", "^favicon\\.ico$"),
        *("^label-studio-frontend/(?P<path>.*)$", "^dm/(?P<path>.*)$", "^react-app/(?P<path>.*)$"),
        *("^static/fonts/roboto/roboto.css$", "^static/(?P<path>.*)$"),
    }


def test_a_table_with_an_unknown_word_is_none(tmp_path: Path) -> None:
    path = tmp_path / "addresses.csv"
    path.write_text("methods,route,name,who\nGET,^$,main,everyone\n")
    with pytest.raises(ValueError, match="everyone"):
        read_table(path)
    assert Row(frozenset({"GET"}), "^$", "main", Who.PERSON) in TABLE.rows
