"""What a study is offered: the shipped models that fit it, and for each prompt without a model the reason."""

import io
import json
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.urls import reverse

from annotation_backend.accounts.models import Role, User
from annotation_backend.registry import shipped
from annotation_backend.registry.model_registry import promote, register_package, serving_model
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.registry.prompt_services import models_for, prompt_services
from annotation_backend.registry.shipped import ensure_shipped_models
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role
from annotation_backend.studies.services import create_study
from datasets.errors import RejectedInput
from datasets.study.shipped_protocols import shipped_text
from tests.annotation_backend.support.records import signed_in, the_study
from tests.annotation_backend.support.segmenters import known_model
from training.pretrained.shipped import shipped_packages

pytestmark = pytest.mark.django_db

BRAIN = """
name = "brain"
version = 1
title = "Brain tumours after contrast"
drawn = "t1ce"

[[images]]
name = "t1ce"
title = "T1 after contrast"
modality = "MR"
weighting = "T1"
contrast = "require"

[[labels]]
value = 1
name = "Tumour"
colour = "#e8590c"
key = "1"
prompted = true

[[stages]]
name = "annotate"
title = "Drawing"
done_by = "annotator"
unit = "slice"
"""


@pytest.fixture(autouse=True)
def lite_medsam(tmp_path: Path, settings, monkeypatch: pytest.MonkeyPatch) -> Model:
    """The shipped packages as they are, in a data folder of their own, and a LiteMedSAM that is cheap."""
    settings.DATA_FOLDER = tmp_path / "data"
    model = known_model("lite-medsam")
    model.method, model.prompt_kinds = "lite-medsam", ["box", "point", "automatic"]
    model.save()
    monkeypatch.setattr(shipped, "ensure_converted", lambda _method: model)
    whole = shipped.read_package
    monkeypatch.setattr(
        "annotation_backend.registry.model_registry.read_package",
        lambda folder, **asked: None if folder == model.path else whole(folder, **asked),
    )
    return model


def _study(name: str) -> Study:
    return create_study(f"my-{name}", shipped_text(name))


def _served(study: Study) -> dict[str, str | None]:
    return {each.kind.value: None if each.model is None else each.model.name for each in prompt_services(study)}


@pytest.mark.parametrize(
    ("protocol", "clicks", "points"),
    [
        ("t1", "clicks-2d", "six-points"),
        ("lipoma", "clicks-2d", "six-points"),
        ("mstt-199", "clicks-2d", "six-points"),
        ("ct", "lite-medsam", None),
        ("pet-ct", "lite-medsam", None),
    ],
)
@pytest.mark.parametrize("first", ["models", "study"])
def test_a_study_is_offered_the_shipped_models_that_fit(
    protocol: str, clicks: str, points: str | None, first: str
) -> None:
    """Whether the models were registered before the study was made or after."""
    if first == "models":
        ensure_shipped_models()
    study = _study(protocol)
    if first == "study":
        assert ensure_shipped_models() == []
    assert _served(study) == {
        "automatic": "lite-medsam",
        "box": "lite-medsam",
        "point": clicks,
        "extreme-points": points,
    }
    assert all(row.is_default for row in Promotion.objects.filter(study=study))


def test_why_no_model_answers_six_points_on_ct_is_said() -> None:
    ensure_shipped_models()
    study = _study("pet-ct")
    note = next(each.note for each in prompt_services(study) if each.kind is PromptKind.EXTREME_POINTS)
    assert note == (
        "six-points-1 learned from T1, and ct is a CT, pet is a PET. "
        "Train one on this study's masks: `manage.py train_model --study my-pet-ct`."
    )
    with pytest.raises(RejectedInput) as refused:
        serving_model(PromptKind.EXTREME_POINTS, study)
    assert refused.value.code == "no-serving-model"
    assert refused.value.message == "No model serves extreme points prompts for Tumour."
    assert refused.value.remedy == f"Use another kind of prompt, or brush. {note}"


def test_a_model_whose_images_a_study_has_not_is_not_promoted() -> None:
    ensure_shipped_models()
    study = _study("ct")
    with pytest.raises(RejectedInput) as refused:
        promote(Model.objects.get(name="six-points"), study=study)
    assert refused.value.code == "model-images"
    assert refused.value.message == "six-points-1 learned from T1, and ct is a CT."
    assert "train_model" in refused.value.remedy


def test_a_doubtful_model_waits_for_a_persons_word() -> None:
    ensure_shipped_models()
    study = create_study("brain", BRAIN)
    assert _served(study)["extreme-points"] is None
    status, document = _run("promote_model", "six-points-1", "--study", "brain")
    assert status == 1
    assert document["findings"] == [
        "six-points-1 learned from T1, and t1ce is after contrast. It serves because you said so."
    ]
    assert serving_model(PromptKind.EXTREME_POINTS, study).name == "six-points"
    assert "after contrast" in next(str(each) for each in prompt_services(study) if each.kind == "extreme-points")


def test_a_model_that_draws_another_label_answers_only_where_a_person_says_which() -> None:
    ensure_shipped_models()
    study = create_study("glioma", BRAIN.replace('name = "Tumour"', 'name = "Glioma"').replace('"require"', '"refuse"'))
    assert _served(study) == {
        "automatic": "lite-medsam",
        "box": "lite-medsam",
        "point": "lite-medsam",
        "extreme-points": None,
    }
    model = Model.objects.get(name="six-points")
    with pytest.raises(RejectedInput) as refused:
        promote(model, study=study)
    assert refused.value.code == "model-label"
    assert refused.value.message == "six-points-1 draws Tumour, and prompts of this study draw Glioma."
    with pytest.raises(RejectedInput, match="model-label"):
        promote(model, study=study, label="Necrosis")
    promote(model, study=study, label="Glioma")
    assert serving_model(PromptKind.EXTREME_POINTS, study, "Glioma") == model


def test_each_prompted_label_has_its_own_model() -> None:
    second = '\n[[labels]]\nvalue = 2\nname = "Cyst"\ncolour = "#1098ad"\nkey = "7"\nprompted = true\n\n[[stages]]'
    study = create_study("two", BRAIN.replace("[[stages]]", second, 1).replace('"require"', '"refuse"'))
    ensure_shipped_models()
    served = {(each.label, each.kind.value): each.model and each.model.name for each in prompt_services(study)}
    assert served["Tumour", "extreme-points"] == "six-points"
    assert served["Cyst", "extreme-points"] is None
    assert served["Cyst", "box"] == served["Tumour", "box"] == "lite-medsam"
    assert serving_model(PromptKind.POINT, study, "Tumour").name == "clicks-2d"
    assert serving_model(PromptKind.POINT, study, "Cyst").name == "lite-medsam"


def test_what_one_study_chose_changes_nothing_in_another() -> None:
    ensure_shipped_models()
    one, other = _study("t1"), _study("lipoma")
    promote(Model.objects.get(name="clicks-3d"), study=one)
    assert serving_model(PromptKind.POINT, one).name == "clicks-3d"
    assert serving_model(PromptKind.POINT, other).name == "clicks-2d"
    ensure_shipped_models()
    assert serving_model(PromptKind.POINT, one).name == "clicks-3d"


def test_list_models_says_which_prompts_have_no_model_and_why() -> None:
    ensure_shipped_models()
    _study("ct")
    status, document = _run("list_models", "--study", "my-ct")
    assert status == 0
    assert [*document["studies"]] == ["my-ct"]
    rows = {row["prompts"]: row for row in document["studies"]["my-ct"]}
    assert rows["box"] == {"prompts": "box", "label": "Tumour", "model": "lite-medsam-1", "note": ""}
    assert rows["extreme-points"]["model"] is None
    assert "learned from T1, and ct is a CT" in rows["extreme-points"]["note"]
    six_points = next(row for row in document["models"] if row["model"] == "six-points-1")
    assert (six_points["images"], six_points["label"], six_points["serves"]) == (["t1"], "Tumour", [])


def test_what_a_package_says_is_registered_with_it() -> None:
    ensure_shipped_models()
    model = Model.objects.get(name="six-points")
    assert (model.images, model.label, model.study) == (["t1"], "Tumour", None)
    assert register_package(model.path) == model
    assert {*shipped_packages()} <= {row.name for row in Model.objects.all()}


def test_the_page_shows_what_the_study_has_and_no_other(people: dict[Role, User]) -> None:
    ensure_shipped_models()
    ours, other = _study("ct"), _study("t1")
    learned = known_model("secret")
    learned.study, learned.snapshot_digest = other, "5" * 64
    learned.save()
    give_role(ours, people[Role.ANNOTATOR], Role.ANNOTATOR)
    browser = signed_in(people[Role.ANNOTATOR])
    page = browser.get(reverse("model-list", args=[ours.name])).content.decode()
    assert "learned from T1, and ct is a CT" in page
    assert "my-t1" not in page
    assert "secret-1" not in page
    assert browser.get(reverse("model-list", args=[other.name])).status_code == 404
    give_role(other, people[Role.ANNOTATOR], Role.ANNOTATOR)
    assert "secret-1" in browser.get(reverse("model-list", args=[other.name])).content.decode()


def test_models_of_an_earlier_version_get_their_images_and_label_from_their_packages(lite_medsam: Model) -> None:
    ensure_shipped_models()
    unet = known_model("unet-25d")
    unet.snapshot_digest = "5" * 64
    unet.save()
    gone = Model.objects.get(name="clicks-3d")
    Model.objects.update(images=[], label="", study=None)
    shutil.rmtree(gone.path)
    import_module("annotation_backend.registry.migrations.0005_images_and_labels").fill(apps, None)
    found = {model.name: (model.images, model.label, model.study) for model in Model.objects.all()}
    assert found["six-points"] == (["t1"], "Tumour", None)
    assert found["unet-25d"] == (["t1", "t2"], "Tumour", the_study())
    assert found["lite-medsam"] == ([], "", None)
    assert found["clicks-3d"] == ([], "Tumour", None)


def test_settings_offer_models_that_fit_the_study() -> None:
    ensure_shipped_models()
    assert {model.name for model in models_for(_study("ct"))} == {"lite-medsam"}
    assert {model.name for model in models_for(_study("t1"))} >= {"lite-medsam", "six-points", "clicks-2d"}


def _run(*arguments: str) -> tuple[int, dict[str, Any]]:
    out = io.StringIO()
    try:
        call_command(*arguments, "--json", stdout=out, stderr=io.StringIO())
        status = 0
    except SystemExit as error:
        status = int(error.code or 0)
    return status, json.loads(out.getvalue())
