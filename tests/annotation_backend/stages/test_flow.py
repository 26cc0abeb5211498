"""A case's way through each shipped protocol: what opens, what closes, where returns and the ladder lead."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from annotation_backend.accounts.models import Role
from annotation_backend.cases.models import Case
from annotation_backend.stages.assigning import assign, hand_in
from annotation_backend.stages.flow import begin, finish, follow, is_finished, reopen, send_back, send_down
from annotation_backend.stages.models import Assignment, CaseStage, StageState, Transition
from annotation_backend.stages.permits import permits_of
from annotation_backend.studies.services import change_protocol
from datasets.errors import RejectedInput
from datasets.study.shipped_protocols import shipped_names, shipped_text
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import ALL, bare_case, drawn, open_stages, row_of, study_of, worker

pytestmark = pytest.mark.django_db

STAGED = {"mstt-199-staged", "lipoma-ladder"}
AS_BEFORE = sorted(set(shipped_names()) - STAGED)


@pytest.mark.parametrize("name", AS_BEFORE)
def test_a_protocol_of_before_is_drawn_reviewed_as_soon_as_a_slice_is_there_and_done_with_the_approval(
    name: str,
) -> None:
    case = bare_case(study_of(name))
    assert [row.stage for row in begin(case)] == ["annotate"]
    assert follow(case, {}) == []
    follow(case, drawn([2]))
    assert open_stages(case) == [("annotate", 1), ("review", 1)], "review begins while drawing goes on"
    finish(row_of(case, "review"))
    assert open_stages(case) == []
    assert is_finished(case), "an approval lets the slices be that nobody drew"


@pytest.mark.parametrize("name", AS_BEFORE)
def test_a_protocol_of_before_goes_back_to_drawing_and_comes_again(name: str) -> None:
    case = bare_case(study_of(name))
    follow(case, drawn([2]))
    send_back(row_of(case, "review"), person=None, why="wider")
    assert open_stages(case) == [("annotate", 2)]
    before = row_of(case, "review").closed_at
    assert before is not None
    follow(case, drawn([2], at=before - timedelta(seconds=1)))
    assert open_stages(case) == [("annotate", 2)], "what was drawn before the return opens no review"
    follow(case, drawn([2]))
    assert open_stages(case) == [("annotate", 2), ("review", 2)]
    follow(case, drawn(ALL))
    assert open_stages(case) == [("annotate", 2), ("review", 2)], "nobody knows what is still to be repaired"
    finish(row_of(case, "review"))
    assert is_finished(case)


@pytest.mark.parametrize("name", AS_BEFORE)
def test_a_protocol_of_before_closes_drawing_once_every_slice_is_drawn(name: str) -> None:
    case = bare_case(study_of(name))
    follow(case, drawn(ALL))
    assert open_stages(case) == [("review", 1)]
    assert row_of(case, "annotate").state == StageState.DONE


def test_mstt_199_in_stages_goes_from_the_centre_outwards_to_a_review_and_back() -> None:
    study = study_of("mstt-199-staged")
    case = bare_case(study)
    begin(case)
    assert open_stages(case) == [("centre", 1)]
    follow(case, drawn([2]))
    assert open_stages(case) == [("adjacent", 1)], "one slice is all that the centre asks for"
    follow(case, drawn(ALL))
    assert open_stages(case) == [("adjacent", 1)], "who draws outwards says when the tumour ends"
    finish(row_of(case, "adjacent"))
    assert open_stages(case) == [("review", 1)]
    send_back(row_of(case, "review"), person=None, why="a hole")
    assert open_stages(case) == [("adjacent", 2)]
    finish(row_of(case, "adjacent"))
    assert open_stages(case) == [("review", 2)]
    finish(row_of(case, "review"))
    assert is_finished(case)


def test_the_lipoma_ladder_goes_down_rung_by_rung_and_ends_at_each_of_them() -> None:
    study = study_of("lipoma-ladder")
    ended = []
    for depth in range(3):
        case = bare_case(study, depth + 1, tissue_type="fat")
        begin(case)
        follow(case, drawn(ALL))
        assert open_stages(case) == [("score-automatic", 1)]
        for score, draws in (("score-automatic", "interactive"), ("score-interactive", "manual"))[:depth]:
            [lower] = send_down(row_of(case, score), person=None, why="insufficient")
            assert (lower.stage, lower.is_fresh, open_stages(case)) == (draws, True, [(draws, 1)])
            follow(case, drawn(ALL))
            assert open_stages(case) == [(draws, 1)], "a rung is done when it is handed in"
            finish(lower)
        [(last, _)] = open_stages(case)
        finish(row_of(case, last))
        assert is_finished(case)
        ended.append(last)
    assert ended == ["score-automatic", "score-interactive", "score-manual"]


def test_an_approval_at_the_top_opens_no_rung_below() -> None:
    case = bare_case(study_of("lipoma-ladder"), tissue_type="fat")
    follow(case, drawn(ALL))
    finish(row_of(case, "score-automatic"))
    assert not CaseStage.objects.filter(stage__in=("interactive", "manual")).exists()


def test_the_last_rung_returns_and_sends_nothing_down() -> None:
    case = bare_case(study_of("lipoma-ladder"), tissue_type="fat")
    follow(case, drawn(ALL))
    for score, draws in (("score-automatic", "interactive"), ("score-interactive", "manual")):
        send_down(row_of(case, score), person=None, why="incorrect")
        finish(row_of(case, draws))
    with pytest.raises(RejectedInput, match="stage-no-ladder"):
        send_down(row_of(case, "score-manual"), person=None, why="incorrect")
    send_back(row_of(case, "score-manual"), person=None, why="again")
    assert open_stages(case) == [("manual", 2)]
    assert not row_of(case, "manual").is_fresh, "a return goes on with what is there"


def test_two_readers_of_their_own_are_followed_by_hand_in_alone() -> None:
    from tests.annotation_backend.stages.world import BLIND_PAIR

    case = bare_case(study_of("t1", stages=BLIND_PAIR))
    follow(case, drawn(ALL))
    assert open_stages(case) == [("draw", 1)]
    finish(row_of(case, "draw"))
    assert open_stages(case) == [("decide", 1)]


def test_a_closed_stage_takes_no_second_end() -> None:
    case = bare_case(study_of("t1"))
    follow(case, drawn(ALL))
    row = row_of(case, "review")
    finish(row)
    for again in (finish, lambda row: send_back(row, person=None, why="x")):
        with pytest.raises(RejectedInput, match="stage-closed"):
            again(row)


def test_an_end_of_an_approval_opens_the_last_stage_again_and_the_drawing_that_let_it_begin() -> None:
    case = bare_case(study_of("t1"))
    follow(case, drawn([1]))
    finish(row_of(case, "review"))
    reopen(case, why="saves changed")
    assert sorted(open_stages(case)) == [("annotate", 2), ("review", 2)]
    assert reopen(case, why="again") == list(CaseStage.objects.filter(state=StageState.OPEN))


def test_every_change_is_an_event_with_its_reason_and_person() -> None:
    study = study_of("t1")
    case, radiologist = bare_case(study), worker(study, Role.RADIOLOGIST)
    follow(case, drawn([1]))
    send_back(row_of(case, "review"), person=radiologist, why="wider")
    events = [(one.row.stage, one.state, one.why, one.person) for one in Transition.objects.order_by("pk")]
    assert events == [
        ("annotate", "open", "", None),
        ("review", "open", "", None),
        ("review", "returned", "wider", radiologist),
        ("annotate", "done", "review sent the case back", radiologist),
        ("annotate", "open", "wider", None),
    ]


def test_a_protocol_that_changes_under_open_stages_ends_those_that_it_has_no_more_and_begins_anew() -> None:
    study = study_of("t1")
    case, untouched = bare_case(study), bare_case(study, 2)
    begin(case)
    document = study.document.replace("version = 1", "version = 2").replace('"annotate"', '"outline"')
    assert change_protocol(study, document)
    assert row_of(case, "annotate").state == StageState.ENDED
    assert open_stages(case) == [("outline", 1)]
    assert open_stages(untouched) == [], "a case that had not begun begins with its publication"


def test_a_protocol_that_keeps_its_stages_changes_no_open_one() -> None:
    study = study_of("t1")
    case = bare_case(study)
    follow(case, drawn([1]))
    change_protocol(study, study.document.replace("version = 1", "version = 2"))
    assert open_stages(case) == [("annotate", 1), ("review", 1)]


def test_a_shipped_protocol_of_before_can_become_the_staged_one() -> None:
    study = study_of("mstt-199")
    case = bare_case(study)
    follow(case, drawn([1]))
    text = shipped_text("mstt-199-staged").replace('name = "mstt-199-staged"', 'name = "mstt-199"', 1)
    change_protocol(study, text.replace("version = 1", "version = 9", 1))
    case.refresh_from_db()
    assert [name for name, _ in open_stages(case)] == ["review"], "a stage of the same name stays open"
    assert row_of(case, "annotate").state == StageState.ENDED
    assert now() >= row_of(case, "annotate").closed_at


@pytest.mark.parametrize("name", sorted(STAGED))
def test_the_doctors_rehearsal_is_drawn_and_reviewed_whatever_the_stages_of_its_study(name: str) -> None:
    study = study_of(name)
    radiologist = worker(study, Role.RADIOLOGIST)
    case = bare_case(study)
    case.is_rehearsal = True
    case.save()
    case = Case.objects.get(pk=case.pk)
    follow(case, drawn([2]))
    assert open_stages(case) == [("annotate", 1), ("review", 1)]
    assert permits_of(radiologist, case) == {}, "it is nobody's work"
    finish(row_of(case, "review"))
    assert is_finished(case)


def test_what_a_return_asks_for_has_to_be_drawn_again_before_a_stage_of_all_slices_is_done() -> None:
    case = bare_case(study_of("t1", stages=_ALL_SLICES))
    begin(case)
    follow(case, drawn(ALL))
    send_back(row_of(case, "review"), person=None, why="two holes", slices=[3, 1])
    row = row_of(case, "draw")
    assert (row.round, row.asked_slices) == (2, [1, 3])
    before = row.opened_at - timedelta(minutes=1)
    follow(case, {**drawn(ALL, at=before), **drawn([1])})
    assert open_stages(case) == [("draw", 2)], "one of the two is left"
    follow(case, {**drawn(ALL, at=before), **drawn([1, 3])})
    assert open_stages(case) == [("review", 2)]


def test_a_whole_case_that_came_back_is_done_when_its_people_hand_it_in() -> None:
    study = study_of("t1", stages=_ALL_SLICES)
    case, annotator = bare_case(study), worker(study, Role.ANNOTATOR)
    [row] = begin(case)
    assign(row, annotator, list(ALL), how=AssignedBy.CLAIM)
    follow(case, drawn(ALL))
    send_back(row_of(case, "review"), person=None, why="wider")
    before = row_of(case, "draw").opened_at - timedelta(minutes=1)
    follow(case, {**drawn(ALL, at=before), **drawn([1])})
    assert open_stages(case) == [("draw", 2)], "who draws again says when it is repaired"
    hand_in(Assignment.objects.get(state="open"), drawn=ALL)
    assert open_stages(case) == [("review", 2)]


_ALL_SLICES = """
[[stages]]
name = "draw"
title = "Drawing"
done_by = "annotator"
unit = "slice"
does = "draw"
opens_next = "all-slices"

[[stages]]
name = "review"
title = "Review"
done_by = "radiologist"
after = ["draw"]
returns_to = "draw"
"""
