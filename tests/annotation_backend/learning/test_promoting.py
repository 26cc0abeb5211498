"""A model takes another's place by better figures on the same folds or a person's reason; going back is one step."""

import json
from contextlib import suppress
from typing import Any

import pytest
from django.core.management import call_command

from annotation_backend.accounts.models import Role, User
from annotation_backend.learning.runs.comparing import paired_by_patient, paired_figures
from annotation_backend.learning.runs.promoting import promote_by_grounds
from annotation_backend.registry.model_registry import Grounds, promote, serving_model
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.registry.serving_history import go_back, served_in
from datasets.errors import RejectedInput
from tests.annotation_backend.learning.tried_models import files_are_whole, tried_model
from tests.annotation_backend.support.records import the_study
from tests.annotation_backend.support.segmenters import known_model

pytestmark = pytest.mark.django_db

BEFORE = {"C1": 0.80, "C2": 0.82, "C3": 0.84, "C4": 0.86, "C5": 0.88, "C6": 0.90}
GAINS = (0.030, 0.031, 0.032, 0.033, 0.034, 0.035)
BETTER = {case: value + gain for (case, value), gain in zip(BEFORE.items(), GAINS, strict=True)}
FOLDS = (("C1", "C2"), ("C3", "C4"), ("C5", "C6"))


@pytest.fixture(autouse=True)
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    files_are_whole(monkeypatch)


@pytest.fixture
def serving() -> Model:
    """A model with figures that serves."""
    model = tried_model("before", BEFORE, FOLDS)
    promote(model, study=the_study())
    return model


def _serves() -> Model:
    return serving_model(PromptKind.AUTOMATIC, the_study())


def test_the_figures_of_two_models_by_hand() -> None:
    """Six differences of one sign: Wilcoxon's exact p is 2 of the 2**6 signs; their mean is 0.0325."""
    found = paired_by_patient(BETTER, BEFORE)
    assert (found.patients, round(found.first_mean, 4), round(found.second_mean, 4)) == (6, 0.8825, 0.85)
    assert found.difference == pytest.approx(0.0325)
    assert found.wilcoxon_p == pytest.approx(2 / 64)
    assert found.lower is not None
    assert found.upper is not None
    assert 0.025 < found.lower < 0.0325 < found.upper < 0.04
    assert found.is_better
    five = {case: value for case, value in BETTER.items() if case != "C6"}
    fewer = paired_by_patient(five, {case: BEFORE[case] for case in five})
    assert fewer.wilcoxon_p == pytest.approx(2 / 32)
    assert not fewer.is_better, "five patients are too few for the test"
    assert not paired_by_patient(BEFORE, BETTER).is_better


def test_what_was_shown_to_be_better_needs_no_reason_and_the_figures_are_kept(serving: Model) -> None:
    model = tried_model("better", BETTER, FOLDS)
    [row] = promote_by_grounds(model, study=the_study())
    assert _serves() == model
    [judged] = row.evidence["judged"]
    assert (judged["against"], judged["better"]) == ("before-1", True)
    assert judged["figures"]["difference"] == pytest.approx(0.0325)
    assert "same 6 held-out patients" in judged["said"]


def test_what_was_not_shown_to_be_better_wants_a_reason_which_is_kept(serving: Model, people: dict[Role, User]) -> None:
    worse = tried_model("worse", {case: value - 0.02 for case, value in BEFORE.items()}, FOLDS)
    for reason in ("", "  ", "a"):
        with pytest.raises(RejectedInput, match="promotion-not-better"):
            promote_by_grounds(worse, study=the_study(), reason=reason)
    assert _serves() == serving
    person = people[Role.DATA_MANAGER]
    [row] = promote_by_grounds(worse, study=the_study(), reason=" It draws the margin. ", person=person)
    assert (row.reason, row.person, row.evidence["judged"][0]["better"]) == ("It draws the margin.", person, False)
    assert _serves() == worse


@pytest.mark.parametrize("kind", ["other folds", "no figures", "another label", "shipped"])
def test_without_figures_on_the_same_folds_a_reason_is_wanted(serving: Model, kind: str) -> None:
    if kind == "shipped":
        promote(known_model("shipped"), study=the_study(), kinds=[PromptKind.AUTOMATIC])
    other_folds = (("C1", "C3"), ("C2", "C4"), ("C5", "C6"))
    label = "Oedema" if kind == "another label" else "Tumour"
    model = tried_model("new", BETTER, other_folds if kind == "other folds" else FOLDS, label=label)
    if kind == "no figures":
        model.run.figures = []
        model.run.save()
    with pytest.raises(RejectedInput, match="promotion-unproved"):
        promote_by_grounds(model, study=the_study(), label="Tumour")
    promote_by_grounds(model, study=the_study(), label="Tumour", reason="Tried by hand.")
    assert _serves() == model


def test_patients_whose_masks_changed_between_two_trainings_are_not_compared(serving: Model) -> None:
    """Its gain on C6 is that of the corrected mask; on the other five it cannot be shown."""
    model = tried_model("corrected", BETTER, FOLDS, changed=["C6"])
    found = paired_figures(model.run, serving.run)
    assert (found.patients, found.left_out) == (5, 1)
    assert "left out: 1 whose masks" in found.words
    with pytest.raises(RejectedInput, match="promotion-not-better"):
        promote_by_grounds(model, study=the_study())
    other = tried_model("all-corrected", BETTER, FOLDS, changed=[*BETTER])
    with pytest.raises(RejectedInput, match="figures-masks"):
        paired_figures(other.run, serving.run)


def test_a_patient_with_a_second_case_since_is_not_compared(serving: Model) -> None:
    model = tried_model("grown", {**BETTER, "C7": 0.5}, (*FOLDS[:2], ("C5", "C6", "C7")))
    for row in model.run.figures:
        row["patient"] = "P6" if row["case"] == "C7" else row["patient"]
    model.run.save()
    assert paired_figures(model.run, serving.run).left_out == 1


def test_folds_that_were_kept_are_the_same_though_cases_were_added(serving: Model) -> None:
    more = {**BETTER, "C7": 0.5}
    model = tried_model("grown", more, (("C5", "C6"), ("C1", "C2"), ("C3", "C4", "C7")))
    promote_by_grounds(model, study=the_study())
    assert _serves() == model


def test_where_nothing_serves_nothing_has_to_be_beaten() -> None:
    model = tried_model("first", BEFORE, FOLDS)
    [row] = promote_by_grounds(model, study=the_study())
    assert row.evidence == {"judged": []}


def test_going_back_twice_comes_to_the_one_before_the_one_before(serving: Model, people: dict[Role, User]) -> None:
    models = [serving, tried_model("b", BETTER, FOLDS), tried_model("c", BETTER, FOLDS)]
    for model in models[1:]:
        promote(model, study=the_study(), grounds=Grounds(reason="x"))
    [row] = go_back(the_study(), person=people[Role.DATA_MANAGER])
    assert (row.model, row.is_back, row.person, _serves()) == (models[1], True, people[Role.DATA_MANAGER], models[1])
    go_back(the_study())
    assert _serves() == serving
    with pytest.raises(RejectedInput, match="promotion-first"):
        go_back(the_study())
    promote(models[2], study=the_study())
    go_back(the_study())
    assert _serves() == serving
    names = [one.promotion.model.name for one in served_in(the_study())]
    assert names == ["before", "c", "before", "b", "c", "b", "before"]
    assert [one.until is None for one in served_in(the_study())] == [True, *[False] * 6]


def test_what_was_promoted_together_goes_back_together() -> None:
    kinds = [PromptKind.POINT, PromptKind.BOX]
    old, new = known_model("old"), known_model("new")
    promote(old, study=the_study(), kinds=kinds)
    promote(new, study=the_study(), kinds=kinds)
    assert {row.prompt_kind for row in go_back(the_study())} == {"point", "box"}
    assert {serving_model(kind, the_study()) for kind in kinds} == {old}


def test_a_promotion_of_an_earlier_version_goes_back_too() -> None:
    """Its row says nothing of who, why and what was promoted with it."""
    old, new = known_model("old"), known_model("new")
    for model in (old, new):
        Promotion.objects.create(study=the_study(), model=model, prompt_kind=PromptKind.BOX)
    go_back(the_study())
    assert serving_model(PromptKind.BOX, the_study()) == old


def test_the_command_says_why_it_refuses_and_goes_back(serving: Model, capsys: pytest.CaptureFixture[str]) -> None:
    tried_model("new", BEFORE, FOLDS)

    def run(*words: str) -> dict[str, Any]:
        with suppress(SystemExit):
            call_command("promote_model", *words, "--json")
        return dict(json.loads(capsys.readouterr().out))

    assert run("new-1")["code"] == "promotion-not-better"
    assert run()["code"] == run("new-1", "--back")["code"] == "options-incomplete"
    assert run("new-1", "--reason", "A trial.")["serves"] == ["automatic"]
    assert [row["model"] for row in run("--back")["back"]] == ["before-1"]
    assert _serves() == serving
    assert run("--back")["code"] == "promotion-first"
