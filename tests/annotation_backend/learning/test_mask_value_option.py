"""Commands on a folder of images and masks take the label that is meant, and say which others they saw."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from django.core.management import call_command

from annotation_backend.learning.examples.of_folder import examples_of_folder
from tests.curation.support.small_volumes import labelled, put_image, put_mask

GLOBS = ["--image-glob", "t1=*/T1.nii", "--mask-glob", "*/mask.nii"]


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    for seed, name in enumerate("ab"):
        put_image(tmp_path / name / "T1.nii", seed)
        put_mask(tmp_path / name / "mask.nii", 1, 2)
    return tmp_path


def _evaluate(cohort: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    with suppress(SystemExit):
        call_command("evaluate_model", "clicks-2d", "--cohort", str(cohort), *GLOBS, "--dry-run", *options)
    said = capsys.readouterr()
    return said.out + said.err


def test_evaluation_asks_which_of_several_values_is_meant(cohort: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = _evaluate(cohort, capsys)
    assert "[cohort-mask-values]" in said
    assert "value 1, 2 in 2 case(s)" in said


def test_evaluation_takes_the_value_that_is_said_and_names_the_others(
    cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = _evaluate(cohort, capsys, "--mask-value", "2")
    assert "2 case(s): a, b" in said
    assert "2 of 2 mask(s) hold 1;" in said


def test_training_asks_and_takes_the_same(cohort: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "train_model",
        "six-points",
        "--cohort",
        str(cohort),
        *GLOBS,
        "--out",
        str(cohort / "run"),
        "--dry-run",
    ]
    with pytest.raises(SystemExit) as caught:
        call_command(*arguments)
    assert caught.value.code == 2
    with suppress(SystemExit):
        call_command(*arguments, "--mask-value", "1", "--json")
    assert json.loads(capsys.readouterr().out)["cases"] == ["a", "b"]


def test_what_is_learned_is_the_value_that_is_meant(cohort: Path) -> None:
    globs = [("t1", "*/T1.nii")]
    found = {value: examples_of_folder(cohort, globs, "*/mask.nii", mask_value=value)[0] for value in ("1", "2", "1,2")}
    assert (found["2"].load("a").mask.data == (labelled(1, 2) == 2)).all()
    assert len({examples.inputs["cohort"] for examples in found.values()}) == 3
