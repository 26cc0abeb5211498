"""Folds become one model: members keep their own networks, precision and cases."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import RejectedInput
from tests.training.support.synthetic import blob_case
from training.fitting.choice import Trained, TrainingChoice
from training.fitting.examples import Example
from training.inputs.intensity_rules import rule_of
from training.methods.crossvalidation import TrainedFolds, begin_folds
from training.methods.fold_ensemble import best_cleaning_of_folds, package_folds
from training.methods.loading import load_segmenter
from training.methods.train import package_trained
from training.model_package import read_description, read_package
from training.networks.dyn_unet import dyn_unet
from training.networks.unet_plan import UNetPlan
from training.prompts.simulated_user import SixPointUser
from training.segmenters.postprocessing import Cleaning
from training.segmenters.segmenter import SegmentationRequest
from training.segmenters.six_points import PointsPlan
from training.segmenters.weights import tensors_of
from training.table.table import method_called

INPUTS = {"cohort": "a" * 64}


def _example(number: int) -> Example:
    case = blob_case(number)
    return Example(case.case, case.patient, {"t1": case.volumes["t1"]}, case.mask)


def _fold(plan: UNetPlan) -> Trained:
    """An untrained network of six points, kept in half precision."""
    points = PointsPlan({"t1": rule_of("t1")}, (2.0, 2.0, 4.0), 4096, plan)
    tensors = {name: each.astype(np.float16) for name, each in tensors_of(dyn_unet(plan)).items()}
    return Trained(TrainingChoice(method_called("six-points")), points.parameters, [tensors], [[1.0]], ("case-1",))


def _folds(folder: Path, plans: list[UNetPlan]) -> TrainedFolds:
    trained = begin_folds(folder, (("case-1",), ("case-2",)))
    for number, plan in enumerate(plans):
        package_trained([_fold(plan)], trained.package(number), name="fold", version=str(number + 1), inputs=INPUTS)
    return trained


ONE = UNetPlan.uniform(channels=4, widths=(4, 8, 8))
OTHER = replace(ONE, strides=((1, 1, 1), (2, 2, 2), (2, 2, 1)))


@pytest.mark.slow
def test_folds_that_planned_other_strides_make_one_model(tmp_path: Path) -> None:
    """Each from its own cases, so that real folds do differ; strict loading shows that each has its own network."""
    trained = _folds(tmp_path, [ONE, OTHER])
    package_folds(trained, tmp_path / "ensemble", name="both", version="1", cleaning=Cleaning.BOTH)
    description = read_description(tmp_path / "ensemble")
    plan = PointsPlan.from_parameters(description.parameters)
    assert plan.member_networks == (ONE, OTHER)
    assert plan.cleaning is Cleaning.BOTH
    assert PointsPlan.from_parameters(plan.parameters) == plan
    _, tensors = read_package(tmp_path / "ensemble", expected_digest=description.digest)
    assert {each.dtype for each in tensors.values()} == {np.dtype(np.float16)}
    example = _example(1)
    prompts = SixPointUser().start(example.mask, np.random.default_rng(0))
    request = SegmentationRequest(example.volumes, "t1", prompts)
    answer = load_segmenter(tmp_path / "ensemble", expected_digest=description.digest).segment(request)
    assert np.isfinite(answer.probability.data).all()
    assert [size % step for size, step in zip(answer.used["canvas"], (4, 4, 4), strict=True)] == [0, 0, 0]


def test_folds_of_one_plan_say_so_once(tmp_path: Path) -> None:
    package_folds(_folds(tmp_path, [ONE, ONE]), tmp_path / "ensemble", name="both", version="1")
    parameters = read_description(tmp_path / "ensemble").parameters
    assert parameters["members"] == 2
    assert "networks" not in parameters


@pytest.mark.slow
def test_the_cleaning_is_chosen_on_all_cases_and_needs_all_folds(tmp_path: Path) -> None:
    trained = _folds(tmp_path, [ONE, ONE])
    told: list[tuple[int, int]] = []
    found = best_cleaning_of_folds(
        trained, [_example(1), _example(2)], progress=lambda done, total: told.append((done, total))
    )
    assert isinstance(found, Cleaning)
    assert told == [(1, 2), (2, 2)]
    with pytest.raises(RejectedInput, match="case-in-no-fold"):
        best_cleaning_of_folds(trained, [_example(3)])


def test_folds_of_several_cohorts_are_no_ensemble(tmp_path: Path) -> None:
    trained = _folds(tmp_path, [ONE])
    other = {"cohort": "b" * 64}
    package_trained([_fold(ONE)], trained.package(1), name="fold", version="2", inputs=other)
    with pytest.raises(RejectedInput, match="members-differ"):
        package_folds(trained, tmp_path / "ensemble", name="both", version="1")
