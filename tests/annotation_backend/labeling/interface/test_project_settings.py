"""Settings of a project: a choice counts at once, one that cannot work is refused, and every change is recorded."""

from pathlib import Path

import pytest

from annotation_backend.accounts.models import Role
from annotation_backend.labeling.interface.project_settings import (
    ProjectSettings,
    answering_model,
    check_settings,
    keep_settings,
    project_settings,
    settings_from,
)
from annotation_backend.labeling.masks.controls import MaskFormat
from annotation_backend.labeling.models import LabelingProject, SettingsChange
from annotation_backend.registry.model_registry import models_folder, promote, register_package
from annotation_backend.registry.models import Model, PromptKind
from datasets.errors import RejectedInput
from datasets.image.mask import OEDEMA
from datasets.study.shipped_protocols import shipped_protocol
from tests.annotation_backend.support.records import accounts, the_study
from tests.training.support.tiny_models import clicks_2d, six_points
from training.model_package import ModelDescription, write_package
from training.table.table import method_called

MSTT = shipped_protocol("mstt-199")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_data_folder(settings, tmp_path: Path) -> None:
    settings.DATA_FOLDER = tmp_path


@pytest.fixture
def project() -> LabelingProject:
    return LabelingProject.objects.create(label_studio_id=1, title="Test", study=the_study())


def _model(name: str, method: str) -> Model:
    tiny, tensors = six_points() if method == "six-points" else clicks_2d()
    folder: Path = models_folder() / name
    write_package(folder, ModelDescription(name, "1", method_called(method), tiny.parameters, tiny.inputs), tensors)
    return register_package(folder)


def test_without_a_choice_there_are_brushes_no_oedema_and_the_promoted_models(project: LabelingProject) -> None:
    assert project_settings(project) == ProjectSettings(MaskFormat.BRUSH, {}, {})


def test_a_choice_counts_at_once_and_every_change_stays_known(
    project: LabelingProject, django_assert_num_queries
) -> None:
    person = accounts()[Role.DATA_MANAGER]
    first = settings_from(project_settings(project), MSTT, mask_format="bitmask")
    keep_settings(project, first, person=person)
    keep_settings(project, settings_from(first, MSTT, labels={OEDEMA: True}), person=None)
    with django_assert_num_queries(1):
        assert project_settings(project) == ProjectSettings(MaskFormat.BITMASK, {OEDEMA: True}, {})
    assert [row.person for row in SettingsChange.objects.order_by("pk")] == [person, None]
    other = LabelingProject.objects.create(label_studio_id=2, title="Other", study=the_study())
    assert project_settings(other) == ProjectSettings()


def test_the_chosen_model_answers_its_kind_and_the_promoted_one_the_others(project: LabelingProject) -> None:
    promoted, chosen = _model("promoted", "clicks-2d"), _model("chosen", "clicks-2d")
    promote(promoted, study=the_study())
    wanted = settings_from(ProjectSettings(), MSTT, prompt_models={"point": "chosen-1"})
    check_settings(wanted, the_study())
    keep_settings(project, wanted, person=None)
    assert answering_model(project, PromptKind.POINT) == chosen
    keep_settings(project, settings_from(wanted, MSTT, prompt_models={"point": None}), person=None)
    assert answering_model(project, PromptKind.POINT) == promoted
    with pytest.raises(RejectedInput, match="no-serving-model"):
        answering_model(project, PromptKind.BOX)


@pytest.mark.parametrize(
    ("models", "code"),
    [({"extreme-points": "clicks-1"}, "model-prompt-kind"), ({"point": "nobody-1"}, "model-unknown")],
)
def test_a_model_that_cannot_answer_is_refused(models: dict[str, str], code: str) -> None:
    _model("clicks", "clicks-2d")
    with pytest.raises(RejectedInput) as refused:
        check_settings(settings_from(ProjectSettings(), MSTT, prompt_models=models), the_study())
    assert refused.value.code == code


def test_a_damaged_model_is_refused() -> None:
    model = _model("clicks", "clicks-2d")
    weights = model.path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(RejectedInput):
        check_settings(settings_from(ProjectSettings(), MSTT, prompt_models={"point": "clicks-1"}), the_study())


@pytest.mark.parametrize(
    ("words", "code"),
    [({"mask_format": "polygon"}, "mask-format"), ({"prompt_models": {"guess": "clicks-1"}}, "prompt-kind")],
)
def test_unknown_words_are_refused_by_name(words: dict[str, object], code: str) -> None:
    with pytest.raises(RejectedInput) as refused:
        settings_from(ProjectSettings(), MSTT, **words)  # type: ignore[arg-type]
    assert refused.value.code == code
