"""Control cases beside work that people are given: at random, by load, by hand; as often, and never told apart."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from annotation_backend.cases.models import Case
from annotation_backend.labeling import jobs as labeling_jobs
from annotation_backend.labeling.predictions import own_predictions
from annotation_backend.readers.controls import giving
from annotation_backend.readers.controls.drafts import draft_mask
from annotation_backend.readers.controls.giving import control_in_place, controls_beside, next_control
from annotation_backend.readers.controls.marking import mark, set_share
from annotation_backend.readers.jobs import show_draft
from annotation_backend.readers.models import ControlReading
from annotation_backend.review.comments.services import pin
from annotation_backend.stages import assigning
from annotation_backend.stages.assigning import assign, give
from annotation_backend.stages.flow import begin
from annotation_backend.stages.models import WHOLE_CASE, Assignment, CaseStage
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import take_role
from annotation_backend.work.bulk import give_to, spread_over
from annotation_backend.work.models import Disagreement
from annotation_backend.work.own import own_pieces
from annotation_backend.work.taking.claiming import claim_next
from annotation_backend.work.taking.orders import Order
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy
from tests.annotation_backend.readers.several import published_case
from tests.annotation_backend.readers.test_controls import World
from tests.annotation_backend.support.records import signed_in

pytestmark = pytest.mark.django_db

GIVEN = ["random", "load", "hand"]


@pytest.fixture
def world(tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two control cases, and one person who may draw."""
    settings.DATA_FOLDER = tmp_path / "data"
    monkeypatch.setattr(labeling_jobs, "mirror_states", lambda _case: 0)  # nothing answers as Label Studio
    found = World()
    for number in (1, 2):
        mark(found.approved(number), "annotate", by=found.manager)
    set_share(found.study, "annotate", 0.5, by=found.manager)
    take_role(found.study, found.author)
    return found


def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giving.secrets, "SystemRandom", lambda: SimpleNamespace(random=lambda: 0.1))


def _assigned_by(world: World, how: str, more: str = "") -> None:
    """The study's drawing stage is given out so from now on."""
    document = world.study.document.replace('assignment = "claim"', f'assignment = "{how}"\n{more}')
    Study.objects.filter(pk=world.study.pk).update(document=document)
    world.study.refresh_from_db()


def _ordinary(world: World, how: str, number: int = 3) -> Case:
    """A case that the reader is given to draw."""
    case, _ = published_case(world.study, number)
    [row] = begin(Case.objects.select_related("study").get(pk=case.pk))
    if how == "hand":
        assert give_to([row], world.reader, by=world.manager).count == 1
    return case


@pytest.mark.parametrize("how", GIVEN)
@pytest.mark.parametrize("pieces", ["", "piece = 5", "piece = 2"])
def test_they_come_beside_other_work_and_look_like_it(
    world: World, monkeypatch: pytest.MonkeyPatch, how: str, pieces: str
) -> None:
    if pieces:
        Study.objects.filter(pk=world.study.pk).update(
            document=world.study.document.replace('unit = "case"', f'unit = "slice"\n{pieces}')
        )
        world.study.refresh_from_db()
    _assigned_by(world, how)
    _always(monkeypatch)
    case = _ordinary(world, how)
    theirs = list(Assignment.objects.filter(person=world.reader).select_related("row"))
    assert [one.row.is_control for one in theirs if one.row.case != case] == [True, True], "there are no more of them"
    assert [one.row.case for one in theirs if not one.row.is_control] == [case]
    assert len({(one.how, one.why, one.by, one.lease_until, one.begins_at, one.seat) for one in theirs}) == 1
    assert len({one.slices.count() for one in theirs}) == 1
    assert len({WHOLE_CASE in one.slices.values_list("slice_index", flat=True) for one in theirs}) == 1
    shown = own_pieces(world.study, world.reader)
    assert [len(piece.slices) for piece in shown] == [len(shown[0].slices)] * 3
    page = signed_in(world.reader).get(page_of(world.study, "my-work")).content.decode()
    rows = re.findall(r"<tr><td>.*?</tr>", page, flags=re.DOTALL)
    assert len(rows) == 3
    numbers = re.compile(r"(known-C)?\d+|csrfmiddlewaretoken\" value=\"\w+")
    assert len({numbers.sub("#", row) for row in rows}) == 1, "nothing but case and number tells one from another"


@pytest.mark.parametrize("how", [AssignedBy.RANDOM, AssignedBy.LOAD])
def test_they_come_with_what_a_data_manager_spreads_as_well(
    world: World, monkeypatch: pytest.MonkeyPatch, how: AssignedBy
) -> None:
    case, _ = published_case(world.study, 3)
    rows = begin(Case.objects.select_related("study").get(pk=case.pk))
    _always(monkeypatch)
    assert spread_over(rows, how=how, by=world.manager).count == 1, "the data manager is told of the cases alone"
    theirs = Assignment.objects.filter(person=world.reader)
    assert (theirs.count(), {(one.how, one.by) for one in theirs}) == (3, {(how.value, world.manager)})


def test_nothing_comes_beside_work_where_the_share_is_none(world: World) -> None:
    set_share(world.study, "annotate", 0.0, by=world.manager)
    _ordinary(world, "hand")
    assert not CaseStage.every.filter(is_control=True).exists()


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_as_many_as_with_claims(world: World, monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    """A share of all pieces: what comes in place of claims, and what comes beside work that is given."""
    set_share(world.study, "annotate", share, by=world.manager)
    control = next_control(world.reader, world.study, world.stage)
    monkeypatch.setattr(giving, "next_control", lambda *_of: control)
    monkeypatch.setattr(giving, "give_control", lambda *_of, **_how: object())
    words: dict[str, Any] = {"how": AssignedBy.RANDOM, "why": "", "by": None}
    pieces = 3000
    beside = sum(len(controls_beside(world.reader, world.study, world.stage, **words)) for _ in range(pieces))
    claimed = sum(control_in_place(world.reader, world.study, world.stage) is not None for _ in range(pieces))
    assert beside / (pieces + beside) == pytest.approx(share, abs=0.05), "five standard errors"
    assert claimed / pieces == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("lot", [0, 1])
def test_the_place_in_the_list_tells_nothing_either(world: World, monkeypatch: pytest.MonkeyPatch, lot: int) -> None:
    _always(monkeypatch)
    monkeypatch.setattr(assigning.secrets, "randbelow", lambda _below: lot)
    case = _ordinary(world, "hand")
    order = [one.row.case == case for one in Assignment.objects.filter(person=world.reader).order_by("pk")]
    assert order == ([False, False, True] if lot else [True, False, False])


def test_where_the_work_is_refused_nothing_is_given_beside_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case, _ = published_case(world.study, 3)
    [row] = begin(Case.objects.select_related("study").get(pk=case.pk))
    _always(monkeypatch)
    monkeypatch.setattr(assigning.secrets, "randbelow", lambda _below: 1)
    with pytest.raises(RejectedInput) as refused:
        give(row, world.author, how=AssignedBy.HAND, why="", by=world.manager)
    assert refused.value.code == "stage-not-theirs"
    assign(row, world.reader, how=AssignedBy.CLAIM)
    assert not CaseStage.every.filter(is_control=True).exists()


def test_the_draft_is_made_by_the_job_that_shows_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(range(900, 990))
    monkeypatch.setattr(own_predictions, "call", lambda *_of, **_what: {"id": next(answers)})
    _always(monkeypatch)
    _ordinary(world, "hand")
    reading = ControlReading.objects.all()[0]
    assert draft_mask(reading) is None
    assert show_draft.call(control_reading=reading.pk) == 5
    reading.refresh_from_db()
    assert draft_mask(reading) is not None
    assert reading.fault["slices"]
    before = reading.draft_sha256
    assert show_draft.call(control_reading=reading.pk) == 0
    reading.refresh_from_db()
    assert reading.draft_sha256 == before, "safe to run twice"


def test_a_case_with_open_comments_is_given_to_nobody_as_a_control_case(world: World) -> None:
    for control in (1, 2):
        assert next_control(world.reader, world.study, world.stage) is not None
        case = Case.objects.get(code=world.study.code("C", control))
        pin(case, world.judge, voxel=[3, 4, 2], text="Look at the border.")
    assert next_control(world.reader, world.study, world.stage) is None


def test_a_claim_by_disagreement_says_of_a_control_case_what_it_would_say_of_the_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, _ = published_case(world.study, 3)
    begin(case)
    Disagreement.objects.create(case=case, between="model", dice=0.31)
    _always(monkeypatch)
    work = claim_next(world.study, world.reader, order=Order.DISAGREEMENT)
    assert (work.row.is_control, "Dice 0.31" in work.why) == (True, True)
