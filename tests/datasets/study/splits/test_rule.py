"""Rules of splits by name: they are stored with trainings, and give the same folds again."""

import pytest

from datasets.errors import RejectedInput
from datasets.study.splits.folds import balanced_folds, mstt_199_folds, random_splits, stratified_folds
from datasets.study.splits.left_out import leave_one_type_out, leave_one_vendor_out
from datasets.study.splits.rule import SplitName, SplitRule
from datasets.study.splits.split_case import SplitCase
from tests.datasets.study.splits.cohorts import collection

RULES = (
    SplitRule(folds=4, seed=3),
    SplitRule(SplitName.MSTT_199),
    SplitRule(SplitName.RANDOM, folds=3, seed=2, test_share=0.25),
    SplitRule(SplitName.TYPE_OUT),
    SplitRule(SplitName.VENDOR_OUT),
    SplitRule(SplitName.TISSUE_TYPE, folds=5, seed=9),
    SplitRule(SplitName.GROUPED, folds=5, seed=9),
)


def test_each_rule_is_its_function() -> None:
    cases = collection()
    alike = [SplitCase(case.case, case.patient, "unknown") for case in cases]
    assert [rule.test_sets(cases) for rule in RULES] == [
        balanced_folds(cases, folds=4, seed=3),
        mstt_199_folds(cases),
        random_splits(cases, splits=3, test_share=0.25, seed=2),
        leave_one_type_out(cases),
        leave_one_vendor_out(cases),
        stratified_folds(cases, folds=5, seed=9),
        stratified_folds(alike, folds=5, seed=9),
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name.value)
def test_a_rule_is_read_again(rule: SplitRule) -> None:
    again = SplitRule.from_described(rule.described)
    assert again.described == rule.described
    assert again.test_sets(collection()) == rule.test_sets(collection())


def test_the_names_never_change() -> None:
    assert [name.value for name in SplitName] == [
        "stratified", "mstt-199", "random", "leave-one-type-out", "leave-one-vendor-out", "tissue-type", "grouped",
    ]  # fmt: skip


def test_seeds_without_influence_are_not_described() -> None:
    assert SplitRule(SplitName.MSTT_199, folds=5, seed=1).described == SplitRule(SplitName.MSTT_199).described
    assert SplitRule(SplitName.TYPE_OUT, seed=1).described == SplitRule(SplitName.TYPE_OUT).described


@pytest.mark.parametrize(
    "given",
    [
        {"name": SplitName.STRATIFIED},
        {"name": SplitName.RANDOM, "folds": 3},
        {"name": SplitName.RANDOM, "test_share": 0.2},
        {"name": SplitName.STRATIFIED, "folds": 3, "test_share": 0.2},
        {"name": SplitName.MSTT_199, "folds": 4},
        {"name": SplitName.TYPE_OUT, "folds": 4},
        {"name": SplitName.VENDOR_OUT, "folds": 4},
    ],
)
def test_numbers_that_do_not_go_with_a_rule_are_refused(given: dict) -> None:
    with pytest.raises(RejectedInput, match="split-settings"):
        SplitRule(**given)


def test_a_type_of_one_patient_is_named() -> None:
    cases = collection()
    rule = SplitRule(folds=5)
    found = {(each.code, each.subject) for each in rule.findings(cases, rule.test_sets(cases))}
    assert found == {
        ("stratum-single", "bone"), ("stratum-thin", "bone"), ("stratum-thin", "nerve"), ("stratum-thin", "vascular"),
    }  # fmt: skip
    out = SplitRule(SplitName.TYPE_OUT)
    assert [each.subject for each in out.findings(cases, out.test_sets(cases))] == ["bone"]


@pytest.mark.parametrize("name", [SplitName.STRATIFIED, SplitName.GROUPED, SplitName.TISSUE_TYPE])
def test_more_folds_than_patients_are_refused(name: SplitName) -> None:
    with pytest.raises(RejectedInput, match="folds-patients"):
        SplitRule(name, folds=35).test_sets(collection())
