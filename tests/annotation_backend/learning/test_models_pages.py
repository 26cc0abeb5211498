"""The pages of models and runs: what they show, who may change what, and a trace from a model to its masks."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.exclusion import exclude
from annotation_backend.cases.models import Case
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.learning.examples.snapshots import take_snapshot
from annotation_backend.learning.models import AskedBy, Run, RunStatus, TrainingAsk
from annotation_backend.learning.pages.runs import in_words
from annotation_backend.learning.retraining.rules import rules_of
from annotation_backend.registry.model_registry import promote, serving_model
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.supervision.presence import held
from datasets.study.splits.external import ExternalCohort, external_cohort
from tests.annotation_backend.learning.tried_models import files_are_whole, snapshot_of, tried_model
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import (
    approve,
    published,
    registered_case,
    saved,
    second_study,
    signed_in,
    the_study,
)

pytestmark = pytest.mark.django_db

DICE = {"C0001": 0.25, "C0002": 0.75}
FOLDS = (("C0001",), ("C0002",))


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    files_are_whole(monkeypatch)


@pytest.fixture
def manager(people: dict[Role, User]) -> Client:
    """A data manager's browser."""
    return signed_in(people[Role.DATA_MANAGER])


def _page(client: Client, name: str, *values: Any) -> str:
    answer = client.get(page_at(name, *values))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_data_manager_promotes_with_a_reason_and_goes_back_by_a_button(
    manager: Client, people: dict[Role, User]
) -> None:
    first, second = (tried_model(name, DICE, FOLDS) for name in ("first", "second"))
    promote(first, study=the_study())
    address = page_at("model-promote", second.pk)
    refused = manager.post(address, {"reason": ""})
    assert refused.status_code == 409
    assert "promotion-not-better" in refused.content.decode()
    assert manager.post(address, {"reason": "Draws the <b>margin</b>.", "kind": ["automatic"]}).status_code == 302
    page = _page(manager, "model-list")
    assert "Draws the &lt;b&gt;margin&lt;/b&gt;." in page
    assert f"Data manager {people[Role.DATA_MANAGER].pk}" in page
    assert "to first-1</button>" in page
    assert manager.post(page_at("model-back"), {"kind": "automatic", "label": "Tumour"}).status_code == 302
    assert serving_model(PromptKind.AUTOMATIC, the_study()) == first
    assert "Back to the model before." in _page(manager, "model-list")
    for odd in ({"kind": "x"}, {}, {"kind": "box", "label": "Tumour"}):
        assert manager.post(page_at("model-back"), odd).status_code == 409


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.RADIOLOGIST])
def test_nobody_else_changes_what_serves(people: dict[Role, User], role: Role) -> None:
    model = tried_model("first", DICE, FOLDS)
    client = signed_in(people[role])
    for address in (page_at("model-promote", model.pk), page_at("model-back"), page_at("model-retraining")):
        assert client.post(address, {"reason": "Because."}).status_code == 403
    assert not Promotion.objects.exists()
    page = _page(client, "model-list")
    assert "Train now" not in page
    assert "<button" not in page.partition("<main>")[2]


def test_a_running_run_is_followed_and_a_stopped_one_says_how_to_go_on(manager: Client) -> None:
    told = {"part": "fold 1 of 2", "done": 30, "total": 100, "seconds_left": 600,
            "curves": [{"name": "fold 1 of 2", "total": 100, "points": [[10, 1.0], [30, 0.5]]}]}  # fmt: skip
    with held("run", "1") as holder:
        run = Run.objects.create(
            study=the_study(), snapshot=snapshot_of({"C0001": "P0001"}), method="unet-25d", settings={"seed": 7},
            holder=holder, progress=told,
        )  # fmt: skip
        page = _page(manager, "run-page", run.pk)
        assert 'data-running="1"' in page
        assert "fold 1 of 2: 30 of 100, about 10 min left" in page
        assert "<script>" not in page
        assert "running.js" in page
        assert 'd="M96.0 20.0L208.0 200.0"' in page
        assert 'data-running="1"' in _page(manager, "model-list")
    page = _page(manager, "run-page", run.pk)
    assert "data-running" not in page
    assert "It came to fold 1 of 2: 30 of 100" in page
    assert "manage.py train_model unet-25d --study" in page
    TrainingAsk.objects.create(study=the_study(), why=AskedBy.CLOCK, begun=run.started, run=run)
    assert "asked for by the clock, and goes on by itself" in _page(manager, "run-page", run.pk)


def test_figures_and_pictures_of_held_out_cases_are_shown(manager: Client) -> None:
    for code in DICE:
        registered_case(code)
    run = tried_model("tried", DICE, FOLDS).run
    run.folder.mkdir(parents=True)
    (run.folder / "C0001.png").write_bytes(b"\x89PNG")
    page = _page(manager, "run-page", run.pk)
    assert page.index("C0001, Dice 0.250") < page.index("C0002, Dice 0.750"), "the worst first"
    answer = manager.get(page_at("run-picture", run.pk, "C0001"))
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"\x89PNG", "image/png")
    for code in ("C0002", "C0003", "..", "%2e%2e"):
        assert manager.get(f"/studies/{the_study()}/runs/{run.pk}/pictures/{code}.png").status_code == 404


def test_a_model_is_traced_to_its_masks_by_codes_alone(manager: Client, people: dict[Role, User]) -> None:
    people[Role.ANNOTATOR].label_studio_id = 4
    people[Role.ANNOTATOR].save()
    saved(published(registered_case())[2], person=4)
    mask = assemble(Case.objects.get())
    assert mask is not None
    approve(mask, people[Role.RADIOLOGIST])
    snapshot = take_snapshot(the_study())
    model = tried_model("traced", {"C0001": 0.5}, (("C0001",),))
    Model.objects.filter(pk=model.pk).update(snapshot_digest=snapshot.digest)
    promote(model, study=the_study())
    told = json.loads(_page(manager, "model-trace", model.pk))
    assert told["snapshot"]["digest"] == snapshot.digest
    assert told["serves"][0]["prompts"] == "automatic"
    [case] = told["cases"]
    assert (case["case"], case["mask"], case["mask_sha256"]) == ("C0001", mask.pk, mask.sha256)
    assert case["drawn_by"] == [f"Annotator {people[Role.ANNOTATOR].pk}"]
    [review] = case["reviews"]
    assert (review["reviewer"], review["verdict"]) == (f"Radiologist {people[Role.RADIOLOGIST].pk}", "approve")
    page = _page(manager, "model-page", model.pk)
    for person in people.values():
        assert person.username not in json.dumps(told)
        assert person.username not in page.partition("<main>")[2]
    assert f"Annotator {people[Role.ANNOTATOR].pk}" in page


def test_a_withdrawn_patient_is_named_on_every_page_and_in_the_list(
    manager: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    for code in DICE:
        registered_case(code)
    model = tried_model("holds", DICE, FOLDS)
    exclude(Case.objects.get(code="C0002"), reason="Consent withdrawn.")
    assert "withdrawn since: C0002" in _page(manager, "model-list")
    assert "withdrawn since: C0002" in _page(manager, "model-page", model.pk)
    assert "withdrawn since: C0002" in _page(manager, "run-page", model.run.pk)
    assert json.loads(_page(manager, "model-trace", model.pk))["cases"][1]["withdrawn_since"]
    with pytest.raises(SystemExit):  # there is a finding
        call_command("list_models", "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["models"][0]["withdrawn"] == ["C0002"]
    assert "C0002" in document["findings"][0]


def test_two_models_are_compared_on_the_patients_that_both_held_out(manager: Client) -> None:
    first = tried_model("first", DICE, FOLDS)
    second = tried_model("second", {"C0001": 0.5, "C0002": 0.5}, FOLDS)
    page = manager.get(page_at("model-compare"), {"first": first.pk, "second": second.pk}).content.decode()
    assert "Dice 0.500 against 0.500 on the same 2 held-out patients, difference +0.000" in page
    assert "first-1 was not shown to be better" in page
    third = tried_model("third", {"C0001": 0.5, "C0003": 0.5}, (("C0001", "C0003"),))
    Run.objects.filter(model=third).update(figures=[])
    foreign = {"first": first.pk, "second": third.pk}
    assert "was not" not in manager.get(page_at("model-compare"), foreign).content.decode()
    assert manager.get(page_at("model-compare"), {"first": "x", "second": "\0"}).status_code == 200


def test_settings_of_retraining_are_changed_and_a_training_is_asked_for(manager: Client) -> None:
    form = {"action": "change", "after_cases": "5", "every_days": "", "method": "unet-25d", "folds": "5"}
    assert manager.post(page_at("model-retraining"), form).status_code == 302
    rules = rules_of(the_study())
    assert (rules.after_cases, rules.every_days, rules.by_button, rules.folds) == (5, None, False, 5)
    for wrong in ({"folds": "1"}, {"after_cases": "0"}, {"method": "x"}, {"folds": ""}):
        answer = manager.post(page_at("model-retraining"), {**form, **wrong})
        assert answer.status_code == 409
        assert "retraining-settings" in answer.content.decode()
        assert page_at("model-list") in answer.content.decode()
    assert manager.post(page_at("model-retraining"), {"action": "now"}).status_code == 302
    assert rules_of(the_study()) == rules
    assert "A training waits since" in _page(manager, "model-list")


def test_a_training_that_is_asked_for_is_as_the_form_says(manager: Client) -> None:
    form = {"action": "now", "method": "unet-3d", "folds": "4"}
    assert manager.post(page_at("model-retraining"), {**form, "folds": "1"}).status_code == 409
    assert not TrainingAsk.objects.exists()
    assert manager.post(page_at("model-retraining"), form).status_code == 302
    assert (rules_of(the_study()).method, rules_of(the_study()).folds) == ("unet-3d", 4)
    assert TrainingAsk.objects.get().begun is None


def test_settings_of_a_run_are_words() -> None:
    split = {"rule": "stratified", "folds": 2, "test_share": None}
    values = (["t1", "t2-fs"], split, None, False, 0, 0.5)
    told = ["t1, t2-fs", "rule stratified, folds 2", "–", "no", "0", "0.5"]
    assert [in_words(value) for value in values] == told


def test_a_failed_training_is_named(manager: Client) -> None:
    run = tried_model("tried", DICE, FOLDS).run
    Run.objects.update(status=RunStatus.FAILED, error="RejectedInput: Too few patients.", model=None)
    TrainingAsk.objects.create(
        study=the_study(), why=AskedBy.CASES, begun=run.started, run=run, error="Too few patients."
    )
    assert "Too few patients." in _page(manager, "model-list")
    assert "Too few patients." in _page(manager, "run-page", run.pk)


@pytest.mark.parametrize("name", ["model-list", "model-page", "model-trace", "run-page", "model-compare"])
def test_a_page_asks_as_often_for_many_models_as_for_one(
    manager: Client, name: str, django_assert_num_queries: Any
) -> None:
    for code in DICE:
        registered_case(code)
    model = tried_model("first", DICE, FOLDS)
    tried_model("second", DICE, FOLDS)
    promote(model, study=the_study())
    pk = {"run-page": model.run.pk, "model-list": None, "model-compare": None}.get(name, model.pk)
    address = page_at(name) if pk is None else page_at(name, pk)
    manager.get(address)
    with CaptureQueriesContext(connection) as few:
        assert manager.get(address).status_code == 200
    for number in range(3, 9):
        registered_case(f"C000{number}")
        promote(
            tried_model(f"model-{number}", {**DICE, f"C000{number}": 0.5}, (*FOLDS, (f"C000{number}",))),
            study=the_study(),
        )
    with django_assert_num_queries(len(few)):
        manager.get(address)


def test_models_of_another_study_are_not_there(manager: Client) -> None:
    model = tried_model("foreign", DICE, FOLDS)
    run = model.run
    other = second_study()
    Model.objects.update(study=other)
    Run.objects.update(study=other)
    assert "foreign" not in _page(manager, "model-list")
    for name in ("model-page", "model-trace"):
        assert manager.get(page_at(name, model.pk)).status_code == 404
    assert manager.get(page_at("run-page", run.pk)).status_code == 404
    assert manager.post(page_at("model-promote", model.pk), {"reason": "Because."}).status_code == 404


def _with_drafts(model: Model, *rows: tuple[str, int | None, float, int | None]) -> None:
    """What became of drafts, with a model's run: case, the model that drew it, share that was changed, actions."""
    names = ("case", "model", "changed", "actions")
    drafts = [{**dict(zip(names, row, strict=True)), "patient": row[0].replace("C", "P")} for row in rows]
    Run.objects.filter(model=model).update(drafts=drafts)


def test_the_learning_curve_is_of_the_patients_that_all_models_held_out(manager: Client) -> None:
    page = _page(manager, "model-list")
    assert "there is no curve" in page
    few = (("C0001", "C0002"), ("C0003",))
    first = tried_model("first", {"C0001": 0.2, "C0002": 0.4, "C0003": 0.6}, few)
    _with_drafts(first, ("C0001", None, 1.0, 40), ("C0002", None, 1.0, 30), ("C0003", None, 1.0, 20))
    page = _page(manager, "model-list")
    assert "One model of these was tried on held-out patients. A curve needs two" in page
    assert '<figure class="curve">' not in page
    more = (("C0001", "C0002"), ("C0003", "C0004"))
    second = tried_model("second", {"C0001": 0.6, "C0002": 0.7, "C0003": 0.8, "C0004": 0.1}, more)
    _with_drafts(second, ("C0001", None, 1.0, 40), ("C0002", None, 1.0, 30), ("C0003", None, 1.0, 20),
                 ("C0004", first.pk, 0.35, 12))  # fmt: skip
    page = _page(manager, "model-list")
    assert "Dice is that on the 3 patients that all 2 models held out." in page
    rows = [
        [cell.strip() for cell in row]
        for row in re.findall(r'<tr><th scope="row">([^<]*)</th>' + 5 * r"<td>([^<]*)</td>", page)
        if row[0] in ("without a draft", "first-1", "second-1")
    ]
    assert [row[:2] for row in rows] == [["without a draft", "0"], ["first-1", "3"], ["second-1", "4"]]
    assert [row[2].partition(" ")[0] for row in rows] == ["–", "0.400", "0.700"]  # C0004 was not tried by both
    assert rows[1][3:] == ["1", "35.0", "12.0"]
    assert rows[2][3:] == ["0", "–", "–"]
    assert rows[0][3:5] == ["3", "100.0"]  # no spread, no interval
    assert rows[0][5] == "30.0"  # nor of three patients
    assert page.count('<figure class="curve">') == 2  # Dice, and actions from without a draft to the first's drafts
    other = tried_model("oedema", {"C0001": 0.9}, (("C0001",),), label="Oedema")
    assert other
    page = _page(manager, "model-list")
    assert page.count('id="curve-2"') == 1  # models of another label are no part of the curve


def test_models_without_a_patient_in_common_have_no_curve(manager: Client) -> None:
    tried_model("first", {"C0001": 0.2, "C0002": 0.4}, (("C0001",), ("C0002",)))
    tried_model("second", {"C0003": 0.6, "C0004": 0.7}, (("C0003",), ("C0004",)))
    page = _page(manager, "model-list")
    assert "These models held out no patient in common" in page
    assert '<figure class="curve">' not in page


def test_a_data_manager_holds_an_external_cohort_back(manager: Client) -> None:
    cohort = ExternalCohort("strangers", patients=("P0002",))

    def sent(**values: Any) -> int:
        answer = manager.post(page_at("model-retraining"), {"method": "unet-25d", "folds": 0, **values})
        return int(answer.status_code)

    assert sent(document=SimpleUploadedFile("strangers.json", cohort.encoded)) == 302
    assert rules_of(the_study()).external == cohort
    assert "strangers" in _page(manager, "model-list")
    assert sent(external="as now", after_cases=3) == 302
    assert (rules_of(the_study()).external, rules_of(the_study()).after_cases) == (cohort, 3)
    for broken in (b"", b"{}", cohort.encoded.replace(b"P0002", b"P0003"), b"[" * 5000):
        assert sent(document=SimpleUploadedFile("broken.json", broken)) == 409
    assert rules_of(the_study()).external == cohort
    assert sent(external="sts-external") == 302
    assert rules_of(the_study()).external == external_cohort("sts-external")
    assert sent() == 302
    assert rules_of(the_study()).external is None
