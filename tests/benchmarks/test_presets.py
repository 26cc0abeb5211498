"""The comparison of presets: time becomes iterations, what was measured is kept, and another question is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from annotation_backend.learning.training_arguments import add_training
from benchmarks.training.presets import Question, is_better, iterations_in, kept_seconds
from datasets.errors import RejectedInput

QUESTION = Question(
    "unet-25d",
    "mstt-199",
    60.0,
    ("--cohort", "DIR", "--image-glob", "*/T1.nii.gz", "--mask-glob", "*/mask.nii.gz"),
    ("--folds", "5", "--split", "stratified"),
    ("--encoder-weights", "weights.safetensors"),
)


def test_time_becomes_iterations() -> None:
    assert iterations_in(60.0, 0.7) == 5142
    assert iterations_in(60.0, 25.0) == 144
    assert iterations_in(0.5, 45.0) == 1


def test_what_was_measured_is_kept_for_the_same_question_alone(tmp_path: Path) -> None:
    path = tmp_path / "seconds.json"
    asked = {name: list(each) if isinstance(each, tuple) else each for name, each in vars(QUESTION).items()}
    path.write_text(json.dumps({"question": asked, "seconds": {"default": 0.7, "mstt-199": 25.0}}))
    assert kept_seconds(path, QUESTION) == {"default": 0.7, "mstt-199": 25.0}
    with pytest.raises(RejectedInput, match="study-other"):
        kept_seconds(path, replace(QUESTION, minutes=30.0))


def test_both_sides_are_trained_by_the_command_on_the_same_folds() -> None:
    import argparse

    parser = argparse.ArgumentParser()
    add_training(parser)
    found = {side: parser.parse_args(QUESTION.training(side, 7, Path("out"))[1:]) for side in ("default", "mstt-199")}
    assert {each.iterations for each in found.values()} == {7}
    assert {(each.folds, each.split, each.seed) for each in found.values()} == {(5, "stratified", 0)}
    assert [each.preset for each in found.values()] == [None, "mstt-199"]
    assert [each.encoder_weights for each in found.values()] == [None, "weights.safetensors"]


def test_the_better_one_is_told_by_the_report() -> None:
    assert is_better({"first − second": "0.012"})
    assert not is_better({"first − second": "-0.012"})
    assert not is_better({"first − second": ""})
