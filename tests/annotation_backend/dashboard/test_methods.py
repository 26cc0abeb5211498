"""Methods against each other: which method a verdict is about, the interval of a median, drafts that were kept."""

import csv
import io
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.audit.times import ActiveTime, active_times
from annotation_backend.cases.models import Case
from annotation_backend.dashboard.agreement import agreement_table
from annotation_backend.dashboard.drafts import draft_table
from annotation_backend.dashboard.figures import FEW, dashboard_of, needs_work
from annotation_backend.dashboard.methods import interval_of_median, method_of_reviewed, score_table, time_table
from annotation_backend.dashboard.progress import progress_tables
from annotation_backend.dashboard.tables import Table
from annotation_backend.history.models import Event, EventKind, Figures
from annotation_backend.inference.models import Prediction
from annotation_backend.labeling.models import Annotation, CaseMask
from annotation_backend.labeling.versions.decoded_masks import masks_in, stored_masks
from annotation_backend.review.models import Review
from annotation_backend.stages.models import CaseStage, StageState
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import create_study
from datasets.files import sha256_of_bytes
from datasets.study.shipped_protocols import shipped_text
from datasets.study.stage import DrawingMethod
from tests.annotation_backend.support.records import (
    accounts,
    published,
    registered_case,
    saved,
    signed_in,
    the_study,
)
from training.prompts.prompt import Prompts
from training.prompts.prompt_document import as_document

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> dict[Role, User]:
    """The first accounts."""
    return accounts()


@pytest.fixture
def ladder(people: dict[Role, User]) -> Study:
    """A study with the lipoma study's ladder."""
    return create_study("ladder", shipped_text("lipoma-ladder"))


def _rows(table: Table) -> dict[object, tuple[object, ...]]:
    return {row[0]: tuple(row[1:]) for row in table.rows}


def test_a_verdict_is_about_the_method_of_the_drawing_stage_before_its_own(ladder: Study) -> None:
    assert method_of_reviewed(ladder.protocol) == {
        "score-automatic": DrawingMethod.AUTOMATIC,
        "score-interactive": DrawingMethod.INTERACTIVE,
        "score-manual": DrawingMethod.MANUAL,
    }


def test_scores_are_counted_by_method(ladder: Study, people: dict[Role, User]) -> None:
    """Two automatic masks, one of them insufficient; that one is excellent by hand."""
    for number, scores in enumerate(
        [{"score-automatic": "insufficient", "score-manual": "excellent"}, {"score-automatic": "sufficient"}], start=1
    ):
        case = registered_case(ladder.code("C", number), study=ladder)
        mask = CaseMask.objects.create(
            case=case, inputs_sha256=str(number), file="m", sha256="m", annotated_slices=[], unannotated_slices=[],
            labels=[],
        )  # fmt: skip
        for stage, score in scores.items():
            row = CaseStage.objects.create(case=case, stage=stage, state=StageState.DONE, closed_at=now())
            Review.objects.create(
                mask=mask, row=row, reviewer=people[Role.RADIOLOGIST], verdict="approve", quality_score=score
            )
    table = score_table(ladder)
    head = ("Score", "Automatic", "Automatic (%)", "Interactive", "Interactive (%)", "By hand", "By hand (%)")
    assert tuple(table.head) == head
    rows = _rows(table)
    assert rows["Excellent"] == (0, 0.0, 0, None, 1, 100.0)
    assert rows["Sufficient"] == (1, 50.0, 0, None, 0, 0.0)
    assert rows["Insufficient"] == (1, 50.0, 0, None, 0, 0.0)
    assert rows["All"] == (2, 100.0, 0, None, 1, 100.0)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, None, None), (5, None, None), (6, 1, 6), (8, 1, 8), (9, 2, 8), (10, 2, 9), (20, 6, 15), (50, 18, 33)],
)
def test_the_interval_of_a_median_is_that_of_published_tables(count: int, low: int | None, high: int | None) -> None:
    """Ranks of the exact 95 % interval, as in Conover's and Geigy's tables for the sign test."""
    assert interval_of_median([float(number) for number in range(1, count + 1)]) == (low, high)


def test_the_interval_of_a_median_holds_it_in_95_percent_of_samples() -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        low, high = interval_of_median(list(random.lognormal(0, 1, 30)))
        held += low is not None and high is not None and low <= 1 <= high
    assert 0.94 <= held / 2000 <= 0.98


def test_time_is_compared_with_drawing_by_hand(ladder: Study) -> None:
    times = [
        *(ActiveTime(1, case, "interactive", 60.0 * case) for case in range(1, 8)),
        *(ActiveTime(2, case, "manual", 600.0) for case in range(1, 4)),
        ActiveTime(2, 1, "manual", 120.0),
        ActiveTime(3, 1, "score-manual", 999.0),
    ]
    rows = _rows(time_table(ladder, times))
    assert rows["Interactive"] == (7, 4.0, 1.0, 7.0, 0.4)
    assert rows["By hand"] == (3, 10.0, None, None, 1.0)
    assert rows["Automatic"] == (0, None, None, None, None)


def test_active_time_goes_to_the_stage_that_was_open(ladder: Study, people: dict[Role, User]) -> None:
    case = registered_case(ladder.code("C", 1), study=ladder)
    begin = now() - timedelta(hours=2)
    for number, stage in enumerate(("interactive", "score-interactive", "manual")):
        opened = begin + timedelta(minutes=30 * number)
        CaseStage.objects.create(case=case, stage=stage, opened_at=opened, state=StageState.DONE, closed_at=now())
    annotator, radiologist = people[Role.ANNOTATOR], people[Role.RADIOLOGIST]
    rows = [
        (annotator, EventKind.TASK_OPENED, 60), (annotator, EventKind.DRAFT, 90), (annotator, EventKind.DRAFT, 100),
        (radiologist, EventKind.PAGE_OPENED, 2000), (radiologist, EventKind.PAGE_IDLE, 2030),
        (radiologist, EventKind.PAGE_ACTIVE, 2050),
        (annotator, EventKind.TASK_OPENED, 4000), (annotator, EventKind.DRAFT, 4060),
    ]  # fmt: skip
    for person, kind, second in rows:
        at = begin + timedelta(seconds=second)
        Event.objects.create(study=ladder, case=case, person=person, kind=kind, created=at)
    assert active_times(ladder) == [
        ActiveTime(radiologist.pk, case.pk, "score-interactive", 30.0),
        ActiveTime(annotator.pk, case.pk, "interactive", 40.0),
        ActiveTime(annotator.pk, case.pk, "manual", 60.0),
    ]


def _predicted(save: Annotation, *, is_same: bool) -> None:
    """A model's mask of the save's slice from before it: the same, or another of as many pixels."""
    [mask] = masks_in(stored_masks(save)).values()
    drawn = mask if is_same else np.roll(mask, 1, axis=0)
    row = Prediction.objects.create(
        case=save.task.case, slice_index=save.task.slice_index, model=_model(), model_version="m",
        prompts=as_document(Prompts()), mask_sha256=sha256_of_bytes(np.packbits(drawn).tobytes()),
        pixels=int(drawn.sum()),
    )  # fmt: skip
    Prediction.objects.filter(pk=row.pk).update(created=save.saved_at - timedelta(minutes=1))


def _model() -> Any:
    from annotation_backend.registry.models import Model

    names = {"name": "drafts", "version": "1", "method": "clicks-2d", "folder": "nowhere"}
    return Model.objects.get_or_create(**names, defaults={"digest": "d", "prompt_kinds": [], "study": the_study()})[0]


def test_drafts_saved_as_they_were_are_counted(people: dict[Role, User]) -> None:
    """Two slices with a draft, one of them saved as it was; one slice without."""
    tasks = published(registered_case())
    saves = [
        saved(tasks[index], person=people[Role.ANNOTATOR].label_studio_id, identifier=index + 1) for index in (1, 2, 3)
    ]
    _predicted(saves[0], is_same=True)
    _predicted(saves[1], is_same=False)
    stored_masks(saves[2])
    rows = _rows(draft_table(the_study()))
    assert rows == {f"Annotator {people[Role.ANNOTATOR].pk}": (2, 1, 50.0), "All": (2, 1, 50.0)}


def test_a_funnel_counts_cases_and_waits_hours(ladder: Study) -> None:
    for number, (state, hours) in enumerate([("done", 2), ("done", 4), ("open", None)], start=1):
        case = registered_case(ladder.code("C", number), study=ladder)
        opened = now() - timedelta(hours=10)
        closed = opened + timedelta(hours=hours) if hours else None
        CaseStage.objects.create(case=case, stage="automatic", state=state, opened_at=opened, closed_at=closed)
    funnel, tissue, site, weeks, waits = progress_tables(ladder)
    assert _rows(funnel)["Came in"][0] == 3
    assert _rows(funnel)["Automatic"] == (3, 1, 2, 0, 0)
    assert _rows(tissue)["Nerve"][:2] == (3, 2)
    assert _rows(site)["not said"][:2] == (3, 2)
    assert sum(row[1] for row in weeks.rows if isinstance(row[1], int)) == 2
    assert _rows(waits)["Automatic"] == (2, 3.0, 3.8, 1, 10.0, 10.0)


def test_the_page_is_for_reviewers_and_shows_each_figure_with_its_csv(people: dict[Role, User]) -> None:
    study = the_study()
    published(registered_case())
    status = {role: signed_in(one).get(page_of(study, "dashboard")).status_code for role, one in people.items()}
    assert status == {
        Role.ADMINISTRATOR: 200, Role.DATA_MANAGER: 200, Role.RADIOLOGIST: 200, Role.ANNOTATOR: 403,
    }  # fmt: skip
    manager = signed_in(people[Role.DATA_MANAGER])
    page = manager.get(page_of(study, "dashboard")).content.decode()
    tables = dashboard_of(study).tables
    assert len(tables) == 9
    for table in tables:
        assert f'id="{table.name}"' in page
        answer = manager.get(page_of(study, "figure-csv", table.name))
        lines = list(csv.reader(io.StringIO(answer.getvalue().decode())))
        assert lines[0] == list(table.head)
        assert len(lines) == 1 + len(table.rows)
    assert manager.get(page_of(study, "figure-csv", "no-such")).status_code == 404


def test_what_is_kept_follows_the_records(people: dict[Role, User]) -> None:
    study = the_study()
    first = dashboard_of(study)
    assert first.is_current
    kept = Figures.objects.get().made
    assert dashboard_of(study).made == kept
    registered_case()
    assert dashboard_of(study).made > kept
    assert Case.objects.count() == 1


def test_much_is_left_to_a_worker(people: dict[Role, User], monkeypatch: pytest.MonkeyPatch) -> None:
    assert FEW > 100
    monkeypatch.setattr("annotation_backend.dashboard.figures.FEW", 0)
    registered_case()
    waiting = dashboard_of(the_study())
    assert (waiting.tables, needs_work(waiting)) == ((), True)
    manager = signed_in(people[Role.DATA_MANAGER])
    assert "worked out by a worker" in manager.get(page_of(the_study(), "dashboard")).content.decode()
    from django_tasks_db.models import DBTaskResult

    from annotation_backend.dashboard.jobs import work_out_figures

    assert [row.task_path for row in DBTaskResult.objects.all()] == [work_out_figures.module_path]
    assert work_out_figures.call(study=the_study().pk)
    assert dashboard_of(the_study()).is_current
    assert "Cases by stage" in manager.get(page_of(the_study(), "dashboard")).content.decode()


def test_agreement_is_that_of_stages_that_are_no_longer_blind(people: dict[Role, User]) -> None:
    from annotation_backend.readers.models import StudyAgreement

    interval = {"value": 0.91234, "lower": 0.8, "upper": 0.95}
    figures = dict.fromkeys(("dice", "surface_dice_1mm", "hd95_mm"), interval)
    mask = {"stage": "reading", "label": "Tumour", "cases": 4, **figures}
    content = {"closed": {"masks": [mask], "scores": []}, "everything": {"masks": [mask, mask], "scores": []}}
    StudyAgreement.objects.create(study=the_study(), content=content, made_at=now())
    assert _rows(agreement_table(the_study()))["reading, Tumour: Dice"] == (0.912, 0.8, 0.95, 4)
    assert len(agreement_table(the_study()).rows) == 3
