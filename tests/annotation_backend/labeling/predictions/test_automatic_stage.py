"""The ladder's automatic stage: a model draws the whole case; below it, stages that are drawn by hand hide models."""

from typing import Any

import numpy as np
import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling import jobs
from annotation_backend.labeling.jobs import assemble_case, draw_stage
from annotation_backend.labeling.models import Correction, CorrectionKind, LabelingTask, TaskState
from annotation_backend.labeling.predictions import predictions
from annotation_backend.labeling.predictions.automatic import why_it_waits
from annotation_backend.labeling.predictions.interactive import answer
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.registry.models import Promotion, PromptKind
from annotation_backend.stages.assigning import assign
from annotation_backend.stages.flow import begin, open_rows, send_down
from annotation_backend.stages.hiding import drawn_without_models, may_prompt
from annotation_backend.stages.models import WHOLE_CASE
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role
from annotation_backend.studies.services import create_study
from datasets.formats.nifti import read_mask
from datasets.study.shipped_protocols import FIRST, shipped_text
from datasets.study.stage import AssignedBy
from tests.annotation_backend.support.records import published, registered_case, signed_in, unaccepted_prompt
from tests.annotation_backend.support.segmenters import BrightSegmenter, drawn_by, known_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def ladder(tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A case of a study with the lipoma ladder's stages, published."""
    settings.DATA_FOLDER = tmp_path / "data"
    monkeypatch.setattr(jobs, "mirror_states", lambda _case: 0)  # nothing answers as Label Studio
    stages = shipped_text("lipoma-ladder").partition("[[stages]]")[2]
    study = create_study("ladder", shipped_text(FIRST).partition("[[stages]]")[0] + "[[stages]]" + stages)
    case = registered_case(study.code("C", 1), study=study)
    published(case, first_task=800, project=8)
    begin(case)
    return case


def person_of(study: Study, role: Role, number: int) -> User:
    person = User.objects.create_user(f"{role.value}{number}@ladder.org", label_studio_id=number)
    give_role(study, person, role)
    return person


def stages_of(case: Case) -> list[str]:
    return [row.stage for row in open_rows(case)]


def test_without_a_model_the_stage_waits_and_says_for_what(ladder: Case) -> None:
    assert draw_stage.call(case_code=ladder.code) is None
    assert stages_of(ladder) == ["automatic"]
    waits = why_it_waits(ladder)
    assert waits is not None
    assert waits.code == "automatic-no-model"
    manager = person_of(ladder.study, Role.DATA_MANAGER, 91)
    page = signed_in(manager).get(page_of(ladder.study, "case-page", ladder.code)).content
    assert b"promote_model" in page


def test_a_model_draws_the_case_and_what_it_drew_is_a_version_of_its_own(
    ladder: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_by(monkeypatch, BrightSegmenter())
    model = known_model()
    Promotion.objects.create(model=model, prompt_kind=PromptKind.AUTOMATIC, study=ladder.study)
    key = draw_stage.call(case_code=ladder.code)
    correction = Correction.objects.get(pk=key)
    assert (correction.kind, correction.model, correction.author) == (CorrectionKind.AUTOMATIC, model, None)
    drawn = read_mask(correction.path).data
    assert np.count_nonzero(drawn[:, :, 0]) == 0, "as the model drew"
    assert np.count_nonzero(drawn[:, :, 1:]) > 0
    assert stages_of(ladder) == ["score-automatic"]
    assert why_it_waits(ladder) is None
    assert draw_stage.call(case_code=ladder.code) is None, "safe to run twice"
    assemble_case.call(case_code=ladder.code)
    assert standing_of(ladder).mask is not None
    states = LabelingTask.objects.filter(case=ladder).values_list("state", flat=True)
    assert set(states) == {TaskState.ANNOTATED}


def test_in_a_manual_stage_no_model_draws_and_no_prompt_is_answered(
    ladder: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotator = person_of(ladder.study, Role.ANNOTATOR, 92)
    manager = person_of(ladder.study, Role.DATA_MANAGER, 93)
    drawn_by(monkeypatch, BrightSegmenter())
    Promotion.objects.create(model=known_model(), prompt_kind=PromptKind.AUTOMATIC, study=ladder.study)
    draw_stage.call(case_code=ladder.code)
    [score] = open_rows(ladder)
    [interactive] = send_down(score, person=None, why="insufficient")
    assert drawn_without_models([ladder]) == set()
    assert may_prompt(annotator, ladder, 2)
    interactive.stage = "score-interactive"
    interactive.save()
    [manual] = send_down(interactive, person=None, why="incorrect")
    assert manual.stage == "manual"
    assert drawn_without_models([ladder]) == {ladder.pk}
    assign(manual, annotator, (WHOLE_CASE,), how=AssignedBy.HAND)
    assert not may_prompt(annotator, ladder, 2)
    assert not may_prompt(None, ladder, 2)
    assert may_prompt(manager, ladder, 2)
    LabelingTask.objects.filter(case=ladder).update(state=TaskState.PENDING)
    monkeypatch.setattr(predictions, "push_drawn", lambda *_: pytest.fail("nothing is pushed"))
    assert predictions.push_predictions(ladder) == 0
    task = LabelingTask.objects.get(case=ladder, slice_index=2)
    drafts = [{"user": annotator.email, "result": []}]
    said = answer(task, {"id": task.label_studio_id, "drafts": drafts}, [unaccepted_prompt()])
    assert said["refused"]["code"] == "drawn-by-hand"
