"""The folds of a release: those of a model where these hold its cases, and no patient in two of them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.release.build import ReleaseCase, build_release
from datasets.release.verify import verify_release
from datasets.study.splits.split_case import Folds
from tests.datasets.release.samples import CODES, SETTINGS, write_cases

FIRST, SECOND, THIRD = CODES[:1], CODES[1:3], CODES[3:]
"""The cases of each patient."""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[ReleaseCase]:
    return write_cases(tmp_path_factory.mktemp("sources"))


def _split(cases: list[ReleaseCase], folder: Path, **changes: object) -> dict:
    built = build_release(cases, replace(SETTINGS, **changes), folder).folder
    assert verify_release(built).is_sound
    return json.loads((built / "splits.json").read_bytes())


@pytest.mark.parametrize("folds", [(FIRST, (*SECOND, *THIRD)), (THIRD, SECOND, FIRST)])
def test_learned_folds_are_taken_as_they_are(cases: list[ReleaseCase], tmp_path: Path, folds: Folds) -> None:
    split = _split(cases, tmp_path, learned_folds=folds)
    assert split["folds"] == [list(fold) for fold in folds]
    assert (split["method"], split["seed"]) == ("those of a model of the study", None)


OTHERS: dict[str, Folds] = {
    "a case too few": (FIRST, SECOND),
    "a case too many": ((*FIRST, "sub-0009_ses-1"), (*SECOND, *THIRD)),
    "a case twice": (FIRST, (*FIRST, *SECOND, *THIRD)),
    "a patient in two": ((*FIRST, SECOND[0]), (SECOND[1], *THIRD)),
    "none": (),
}


@pytest.mark.parametrize("folds", OTHERS.values(), ids=OTHERS)
def test_others_are_drawn_where_learned_ones_do_not_fit(cases: list[ReleaseCase], tmp_path: Path, folds: Folds) -> None:
    split = _split(cases, tmp_path, learned_folds=folds)
    assert split["seed"] == 7
    assert sorted(code for fold in split["folds"] for code in fold) == sorted(CODES)
    patients = [{code[:8] for code in fold} for fold in split["folds"]]
    assert sum(map(len, patients)) == len(set().union(*patients)) == 3


def test_drawn_folds_follow_the_seed_and_say_when_they_are_fewer(cases: list[ReleaseCase], tmp_path: Path) -> None:
    first = _split(cases, tmp_path / "one")
    assert first == _split(cases, tmp_path / "same")
    assert first["findings"][0]["code"] == "folds-lowered"
    assert len(_split(cases[:1], tmp_path / "alone")["folds"]) == 1
