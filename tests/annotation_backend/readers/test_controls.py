"""Control cases: who may mark which, that they move nothing, and a simulated study of readers with known rates."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.labeling import jobs as labeling_jobs
from annotation_backend.labeling.jobs import assemble_case
from annotation_backend.labeling.models import LabelingTask, OwnPrediction
from annotation_backend.labeling.predictions import own_predictions
from annotation_backend.labeling.studio.own_predictions import own_predictions as predictions_for_one
from annotation_backend.labeling.studio.permits import permit_of as studio_permit_of
from annotation_backend.labeling.studio_door import narrowing
from annotation_backend.labeling.studio_door.permits import Permit as DoorPermit
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.readers.controls import giving
from annotation_backend.readers.controls.drafts import draft_mask, known_mask
from annotation_backend.readers.controls.giving import control_in_place, give_control, next_control
from annotation_backend.readers.controls.marking import lift, mark, set_share
from annotation_backend.readers.jobs import score_control, show_draft, summarise_control_cases
from annotation_backend.readers.models import ControlCase, ControlReading, Pause, StudyAgreement
from annotation_backend.review.models import approved_review
from annotation_backend.stages.assigning import assign, give_back, hand_in
from annotation_backend.stages.models import Assignment, CaseStage, Reading
from annotation_backend.stages.permits import permit_of
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.work.own import own_pieces
from annotation_backend.work.taking.claiming import claim_next
from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.study.stage import AssignedBy
from tests.annotation_backend.readers.several import opened, person_of, published_case, save_of, square, study_with
from tests.annotation_backend.support.records import approve, signed_in

pytestmark = pytest.mark.django_db

STAGES = """
[[stages]]
name = "annotate"
title = "Drawing"
does = "draw"
done_by = "annotator"
unit = "case"
assignment = "claim"
opens_next = "hand-in"
feedback = true
hints = 2
pause_below = 0.6

[[stages]]
name = "review"
title = "Review"
does = "review"
done_by = "radiologist"
after = ["annotate"]
returns_to = "annotate"
"""

KNOWN = {index: square(slice(5, 12), slice(6, 14)) for index in (1, 2, 3)}


class World:
    """A study with approved cases, and annotators who never saw them."""

    def __init__(self) -> None:
        self.study: Study = study_with(STAGES, "known")
        self.author = person_of(self.study, "author", Role.ANNOTATOR, 61)
        self.judge = person_of(self.study, "judge", Role.RADIOLOGIST, 62)
        self.manager = person_of(self.study, "manager", Role.DATA_MANAGER, 63)
        self.reader = person_of(self.study, "reader", Role.ANNOTATOR, 64)
        self.number = 5000

    @property
    def stage(self) -> Any:
        return self.study.protocol.steps[0]

    def approved(self, number: int) -> Case:
        """A case that one person drew and another approved."""
        case, tasks = published_case(self.study, number)
        work = assign(opened(case), self.author, how=AssignedBy.HAND)
        for index, mask in KNOWN.items():
            self.number += 1
            save_of(self.author, tasks[index], mask, number=self.number)
        assemble_case.call(case_code=case.code)
        hand_in(work)
        mask = standing_of(case).mask
        assert mask is not None
        approve(mask, self.judge)
        return case

    def draw(self, person: User, work: Assignment, masks: Mapping[int, Inside]) -> ControlReading:
        """A person's saves of a piece of work, its hand-in, and the job that looks at it."""
        case = work.row.case
        tasks = {task.slice_index: task for task in LabelingTask.objects.filter(case=case)}
        for index, mask in masks.items():
            self.number += 1
            save_of(person, tasks[index], mask, number=self.number, at="12:00:00")
        assemble_case.call(case_code=case.code)
        hand_in(work)
        reading = ControlReading.objects.get(reading__row=work.row)
        score_control.call(control_reading=reading.pk)
        reading.refresh_from_db()
        return reading


@pytest.fixture
def world(tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    settings.DATA_FOLDER = tmp_path / "data"
    monkeypatch.setattr(labeling_jobs, "mirror_states", lambda _case: 0)  # nothing answers as Label Studio
    return World()


def pictures(case: Case, inside: Inside) -> dict[int, Inside]:
    """A volume as the pictures of its slices."""
    plane = picture_plane(case)
    return {index: plane.to_picture(inside, index) for index in range(plane.grid.shape[plane.slice_axis])}


def test_only_a_data_manager_marks_and_only_a_case_of_known_mask(world: World) -> None:
    case = world.approved(1)
    unread, _ = published_case(world.study, 2)
    opened(unread)
    other, _ = published_case(world.study, 3)
    for asked, stage, person, code in (
        (case, "annotate", world.judge, "not-a-data-manager"),
        (case, "review", world.manager, "control-stage"),
        (unread, "annotate", world.manager, "control-open"),
        (other, "annotate", world.manager, "control-mask-missing"),
    ):
        with pytest.raises(RejectedInput) as refused:
            mark(asked, stage, by=person)
        assert refused.value.code == code
    control = mark(case, "annotate", by=world.manager)
    assert np.count_nonzero(known_mask(control).data) == 3 * 56
    with pytest.raises(RejectedInput) as refused:
        mark(case, "annotate", by=world.manager)
    assert refused.value.code == "control-exists"


def test_a_control_case_looks_like_other_work_and_moves_nothing(world: World) -> None:
    case = world.approved(1)
    control = mark(case, "annotate", by=world.manager)
    before = standing_of(case).mask
    work = give_control(control, world.reader, how=AssignedBy.CLAIM, seed=3)
    assert (work.row.stage, work.row.case, work.how) == ("annotate", case, "claim")
    assert work.lease_until is not None
    permit = permit_of(world.reader, case, 2)
    assert (permit.may_draw, permit.sees_others) == (True, False)
    [piece] = own_pieces(world.study, world.reader)
    assert (len(piece.slices), piece.drawn, piece.case) == (5, [], case), "nothing of it is drawn, as far as they see"
    page = signed_in(world.reader).get(page_of(world.study, "case-page", case.code)).content
    assert b"Approved" not in page
    assert b"Approved" in signed_in(world.author).get(page_of(world.study, "case-page", case.code)).content
    title = world.stage.title.encode()
    assert b'<span class="tag waiting">' + title in page, "it is in the stage that it was given in, as other work is"
    listed = signed_in(world.reader).get(page_of(world.study, "case-list")).content
    assert title in listed.split(case.code.encode())[-1].split(b"</tr>")[0]
    story = page.split(b"What happened")[1].split(b"</ol>")[0]
    assert b"<li>" in story, "its story begins as others' do"
    assert b"<q>" not in story, "and ends before it was drawn"
    reading = world.draw(world.reader, work, {2: square(slice(0, 3), slice(0, 3))})
    assert reading.reading.masks.count() == 1
    assert standing_of(case).mask == before
    assert approved_review(case) is not None, "the approval still holds"
    assert CaseStage.objects.filter(case=case).count() == 2, "its own way does not show the reading"
    assert list(Reading.objects.filter(row__case=case).values_list("row__is_control", flat=True)) == [True]
    assert next_control(world.reader, world.study, world.stage) is None, "nobody gets a case twice"
    assert next_control(world.author, world.study, world.stage) is None, "nor one that they drew"


def test_the_share_says_how_often_somebody_gets_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 4):
        mark(world.approved(number), "annotate", by=world.manager)
    assert control_in_place(world.reader, world.study, world.stage) is None, "no share, no control cases"
    set_share(world.study, "annotate", 0.25, by=world.manager)
    drawn = iter([0.3, 0.2, 0.9, 0.24])

    class Dice:
        def random(self) -> float:
            return next(drawn)

    monkeypatch.setattr(giving.secrets, "SystemRandom", Dice)
    given = [control_in_place(world.reader, world.study, world.stage) for _ in range(4)]
    assert [work is not None for work in given] == [False, True, False, True]
    with pytest.raises(RejectedInput) as refused:
        set_share(world.study, "annotate", 0.6, by=world.manager)
    assert refused.value.code == "control-share"


def test_a_claim_gives_a_control_case_in_place_of_another_with_the_same_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = mark(world.approved(1), "annotate", by=world.manager)
    set_share(world.study, "annotate", 0.5, by=world.manager)
    waiting, _ = published_case(world.study, 2)
    opened(waiting)
    with pytest.raises(RejectedInput) as refused:
        claim_next(world.study, world.judge)
    assert refused.value.code == "nothing-to-do"
    monkeypatch.setattr(giving.secrets, "SystemRandom", lambda: SimpleNamespace(random=lambda: 0.1))
    work = claim_next(world.study, world.reader)
    assert (work.row.case, work.row.is_control) == (control.case, True)
    assert work.why == f"Next in the order of patients: {control.case.patient.code}"
    assert claim_next(world.study, world.reader).row.case == waiting, "there is no other control case for them"


def test_what_the_door_is_told_of_predictions_for_one_person(world: World) -> None:
    case = world.approved(1)
    give_control(mark(case, "annotate", by=world.manager), world.reader, how=AssignedBy.CLAIM, seed=3)
    task = LabelingTask.objects.select_related("project__study", "case").get(case=case, slice_index=2)
    OwnPrediction.objects.create(task=task, person=world.reader, label_studio_id=901)
    own, others = (studio_permit_of(person, task) for person in (world.reader, world.manager))
    assert (own.own_predictions, own.hidden_predictions, own.sees_model) == ((901,), (), True)
    assert (others.own_predictions, others.hidden_predictions) == ((), (901,))
    told = DoorPermit(sees_model=True, own_predictions=frozenset({901}))
    row = {"data": {"state": "approved"}, "predictions": [{"id": 900}, {"id": 901}]}
    seen = narrowing.task_as_seen(None, row, told)
    assert (seen["predictions"], seen["data"]["state"]) == ([{"id": 901}], "pending")
    seen = narrowing.task_as_seen(
        None, row, DoorPermit(sees_model=True, sees_others=True, hidden_predictions=frozenset({901}))
    )
    assert (seen["predictions"], seen["data"]["state"]) == ([{"id": 900}], "approved")


def test_the_draft_is_shown_to_one_person_as_predictions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def answer(_method: str, path: str, **options: Any) -> dict[str, int]:
        asked.append((path, options["json"]))
        return {"id": 900 + len(asked)}

    monkeypatch.setattr(own_predictions, "call", answer)
    case = world.approved(1)
    give_control(mark(case, "annotate", by=world.manager), world.reader, how=AssignedBy.CLAIM, seed=3)
    reading = ControlReading.objects.get()
    assert show_draft.call(control_reading=reading.pk) == 5
    assert show_draft.call(control_reading=reading.pk) == 0, "safe to run twice"
    assert {path for path, _ in asked} == {"/api/predictions/"}
    tasks = list(LabelingTask.objects.filter(case=case).values_list("pk", flat=True))
    shown = predictions_for_one(tasks)
    assert {person for of in shown.values() for person in of.values()} == {world.reader.pk}
    assert OwnPrediction.objects.count() == 5


@pytest.mark.slow
def test_planted_faults_and_unchanged_drafts_of_simulated_readers_are_counted_right(world: World) -> None:
    """40 % submit the draft unchanged; of those who change it, 70 % correct its fault; the others draw beside it."""
    cases = [world.approved(number) for number in range(1, 6)]
    controls = [mark(case, "annotate", by=world.manager) for case in cases]
    people = [person_of(world.study, f"reader{number}", Role.ANNOTATOR, 70 + number) for number in range(10)]
    ways = ["unchanged"] * 20 + ["corrected"] * 21 + ["elsewhere"] * 9
    ways = [ways[(7 * at) % 50] for at in range(50)]
    expected: dict[int, list[str]] = {}
    for at, (person, control) in enumerate((person, control) for person in people for control in controls):
        Pause.objects.filter(person=person, lifted_at=None).delete()
        work = give_control(control, person, how=AssignedBy.CLAIM, seed=at)
        reading = ControlReading.objects.get(reading__row=work.row)
        draft = draft_mask(reading)
        assert draft is not None
        shown, truth = draft.foreground, known_mask(control).foreground
        assert (shown != truth).any(), "a fault is planted"
        final = {"unchanged": shown, "corrected": truth, "elsewhere": shown ^ _corner(shown)}[ways[at]]
        scored = world.draw(person, work, pictures(control.case, final))
        expected.setdefault(person.pk, []).append(ways[at])
        assert scored.is_unchanged == (ways[at] == "unchanged")
        assert scored.is_corrected == (ways[at] == "corrected")
        if ways[at] == "corrected":
            assert (scored.dice, scored.places) == (1.0, [])
        else:
            assert scored.places[0]["slice"] in scored.fault["slices"] or ways[at] == "elsewhere"
    summarise_control_cases.call(study=world.study.name)
    rows = {row["person"]: row for row in StudyAgreement.objects.get(study=world.study).controls}
    for person, found in expected.items():
        assert (rows[person]["readings"], rows[person]["drafts"], rows[person]["faults"]) == (5, 5, 5)
        assert rows[person]["unchanged_count"] == found.count("unchanged")
        assert rows[person]["corrected_count"] == found.count("corrected")
        assert rows[person]["unchanged"]["value"] == pytest.approx(found.count("unchanged") / 5)
    assert sum(row["unchanged_count"] for row in rows.values()) == 20
    assert sum(row["corrected_count"] for row in rows.values()) == 21
    page = signed_in(world.manager).get(page_of(world.study, "control-list"))
    assert page.status_code == 200
    csv = signed_in(world.manager).get(page_of(world.study, "controls-csv")).getvalue().decode().splitlines()
    assert len(csv) == 51
    assert signed_in(world.judge).get(page_of(world.study, "control-list")).status_code == 403


def _corner(like: Inside) -> Inside:
    """A voxel where no mask is."""
    corner = np.zeros_like(like)
    corner[-1, -1, 2] = True
    return corner


def test_whoever_draws_badly_is_told_at_once_and_paused_until_a_data_manager_lifts_it(world: World) -> None:
    controls = [mark(world.approved(number), "annotate", by=world.manager) for number in range(1, 5)]
    for control in controls[:3]:
        assert not Pause.objects.exists()
        work = give_control(control, world.reader, how=AssignedBy.CLAIM, seed=1)
        reading = world.draw(world.reader, work, {2: square(slice(0, 4), slice(0, 4))})
        assert reading.dice == 0.0
    [pause] = Pause.objects.all()
    assert (pause.person, pause.mean_dice) == (world.reader, 0.0)
    with pytest.raises(RejectedInput) as refused:
        give_control(controls[3], world.reader, how=AssignedBy.CLAIM)
    assert refused.value.code == "work-paused"
    own = signed_in(world.reader).get(page_of(world.study, "own-controls"))
    assert own.content.count(b"<figure") == 3 * 2, "two places each, as the protocol says"
    first = ControlReading.objects.first()
    assert first is not None
    place = first.places[0]["slice"]
    picture = page_of(world.study, "own-control-picture", first.pk, place)
    assert signed_in(world.reader).get(picture).status_code == 200
    assert signed_in(world.author).get(picture).status_code == 404
    lift(pause, by=world.manager)
    assert give_control(controls[3], world.reader, how=AssignedBy.CLAIM).is_open


def test_a_control_case_that_is_given_back_counts_nowhere(world: World) -> None:
    control = mark(world.approved(1), "annotate", by=world.manager)
    work = give_control(control, world.reader, how=AssignedBy.CLAIM)
    give_back(work)
    assert not CaseStage.every.get(pk=work.row.pk).is_open
    summarise_control_cases.call(study=world.study.name)
    assert StudyAgreement.objects.get(study=world.study).controls == []
    assert ControlCase.objects.get().readings.count() == 1
