"""What the texts know of a case, from a record of whatever form."""

import json
from pathlib import Path

import pytest

from datasets.release.describing.case_facts import CaseFacts, case_facts, facts_of
from datasets.study.grey_values import GreyValues
from tests.datasets.release.describing.samples import entry

GREY = GreyValues((0.0,) * 7, (2.0,) * 7, (1.0,) * 7)


def _record(provenance: object) -> dict:
    return {"Maskloop": {"grey_values": {"t1": GREY.as_dict()}, "provenance": provenance}}


def test_all_that_a_provenance_may_say() -> None:
    provenance = {
        "acquisition": {"t1": {"vendor": "ge"}},
        "agreement": {"dice": 0.9, "readers": 2, "is_blind": True, "between": "a and b"},
        "models": [
            {"name": "six-points", "version": 3, "digest": "0"},
            "other 1",
            {"name": "six-points", "version": 3},
        ],
        "stages": ["Drawing", {"name": "Review"}],
        "registrations": {"t1": "accept", "t2": {"verdict": "look", "checks": []}},
    }
    assert case_facts(entry(1), _record(provenance)) == CaseFacts(
        entry(1),
        grey={"t1": GREY},
        acquisition={"t1": {"vendor": "ge"}},
        agreement={"dice": 0.9, "readers": 2.0},
        models=("six-points 3", "other 1"),
        stages=("Drawing", "Review"),
        registrations={"t1": "accept", "t2": "look"},
    )


@pytest.mark.parametrize("record", [{}, [], {"Maskloop": 5}, {"Maskloop": {"provenance": ["x"]}}])
def test_a_record_that_says_nothing_of_it_is_a_case_all_the_same(record: object) -> None:
    assert case_facts(entry(1), record) == CaseFacts(entry(1))


@pytest.mark.parametrize("value", [None, 5, "x", ["x", 5], {"x": None}])
def test_other_forms_are_passed_over(value: object) -> None:
    names = ("acquisition", "agreement", "models", "registrations")
    found = case_facts(entry(1), _record(dict.fromkeys(names, value)))
    assert found.agreement == {}
    assert found.acquisition in ({}, {"x": {}})


def test_records_are_read_where_the_entry_says(tmp_path: Path) -> None:
    path = tmp_path / entry(3).record
    path.parent.mkdir()
    path.write_text(json.dumps(_record({"models": ["a"]})))
    assert [each.models for each in facts_of(tmp_path, [entry(3)])] == [("a",)]
