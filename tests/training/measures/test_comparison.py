"""Models are paired case by case, then compared by patient; values by hand and by SciPy."""

import json

import pytest
from scipy.stats import ttest_rel

from datasets.errors import RejectedInput
from tests.training.support.evaluations import evaluation_document
from training.measures.comparison import compare_evaluations, paired_by_patient

DICE = {"c0": 0.0, "c1": 0.5, "c2": 0.7, "c3": 0.8}
BETTER = {"c0": 0.1, "c1": 0.7, "c2": 0.85, "c3": 0.86}


def test_patients_are_compared_on_the_cases_for_which_both_models_have_a_value() -> None:
    """Of p1, b has no distance by the second model: its mean is over a alone, 1 against 3, not 5 against 3."""
    one = {"a": 1.0, "b": 9.0, "c": 2.0, "d": 4.0, "e": None, "only": 7.0}
    other = {"a": 3.0, "b": None, "c": 5.0, "d": 9.0, "e": 1.0}
    found = paired_by_patient(one, other, {"a": "p1", "b": "p1", "c": "p2", "d": "p3", "e": "p4"})
    assert (found.found.n, found.without) == (3, 2)
    assert found.means == (pytest.approx(7 / 3), pytest.approx(17 / 3))
    assert found.found.mean_difference == pytest.approx((-2 - 3 - 5) / 3)
    assert found.found.t_test_p == pytest.approx(ttest_rel([1, 2, 4], [3, 5, 9]).pvalue)


def test_cases_of_one_patient_count_once_and_those_without_a_patient_are_their_own() -> None:
    one, other = {"a": 0.2, "b": 0.6, "c": 0.5}, {"a": 0.1, "b": 0.5, "c": 0.9}
    found = paired_by_patient(one, other, {"a": "p", "b": "p"})
    assert found.found.n == 2
    assert found.means == (pytest.approx((0.4 + 0.5) / 2), pytest.approx((0.3 + 0.9) / 2))
    assert paired_by_patient(one, {}, {}).means == (None, None)


def test_evaluations_are_compared_by_the_patients_that_they_know() -> None:
    patients = {"c0": "p0", "c1": "p1", "c2": "p2", "c3": "p2"}
    documents = [evaluation_document(name, dice, patients=patients) for name, dice in (("a", DICE), ("b", BETTER))]
    rows = {row.measure: row for row in compare_evaluations(documents)}
    dice = rows["Dice, one request"]
    assert dice.found.n == 3
    assert dice.found.t_test_p == pytest.approx(ttest_rel([0.0, 0.5, 0.75], [0.1, 0.7, 0.855]).pvalue)
    # c0 was missed by the first model, which drew nothing of it: no distance, and it is said
    assert (rows["HD95 (mm), one request"].found.n, rows["HD95 (mm), one request"].without) == (2, 1)
    assert (dice.without, rows["Surface Dice at 1 mm, one request"].without) == (0, 0)


def test_patients_that_are_none_are_refused() -> None:
    wrong = json.loads(json.dumps(evaluation_document("a", DICE)))
    wrong["summary"]["patients"] = ["p0"]
    with pytest.raises(RejectedInput, match="evaluation-document"):
        compare_evaluations([wrong, evaluation_document("b", BETTER)])
