"""A stage that a later version of a protocol adds behind finished cases: asked about, left out, or opened for them."""

from typing import Any

import pytest
from django.core.management import call_command

from annotation_backend.accounts.models import Role, User
from annotation_backend.audit.story import story_of
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask, LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.publishing.services import publish_release
from annotation_backend.review.models import Verdict, approved_review
from annotation_backend.stages.added import finished_without, open_added_stages
from annotation_backend.stages.flow import begin, finish, follow
from annotation_backend.stages.models import CaseStage, Transition
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import ProtocolVersion, Study
from annotation_backend.studies.services import FinishedCases, change_protocol
from annotation_backend.work.taking.claiming import claim_next
from datasets.errors import RejectedInput
from datasets.release.build import ReleaseSettings
from tests.annotation_backend.stages.test_two_reviews import STAGES
from tests.annotation_backend.stages.world import bare_case, open_stages, row_of, study_of, worker
from tests.annotation_backend.support.records import (
    accounts,
    approve,
    first_account,
    published,
    registered_case,
    saved,
    signed_in,
    the_study,
)

pytestmark = pytest.mark.django_db

SECOND = STAGES[STAGES.index('[[stages]]\nname = "second"') :]
ONE_REVIEW = STAGES.replace(SECOND, "")
DRAWN_AGAIN = """
[[stages]]
name = "edges"
title = "Edges"
does = "draw"
done_by = "annotator"
unit = "slice"
piece = 2
assignment = "claim"
opens_next = "hand-in"
after = ["first"]
"""


def _approved(number: int) -> CaseMask:
    case = registered_case(f"C{number:04d}")
    for index, task in enumerate(published(case, first_task=100 * number)):
        saved(task, identifier=100 * number + index)
    mask = assemble(Case.objects.get(pk=case.pk))
    assert mask is not None
    follow(mask.case, standing_of(mask.case).drawn)
    approve(mask, first_account(Role.RADIOLOGIST))
    return mask


@pytest.fixture
def study(tmp_path: Any, settings: Any) -> Study:
    """With two approved cases, and one that is drawn still."""
    settings.DATA_FOLDER = tmp_path / "data"
    accounts()
    found = the_study()
    Study.objects.filter(pk=found.pk).update(document=found.document.split("[[stages]]")[0] + ONE_REVIEW)
    for number in (1, 2):
        _approved(number)
    third = registered_case("C0003")
    published(third, first_task=300)
    begin(third)
    return the_study()


def _later(study: Study, stage: str = SECOND) -> str:
    version = study.protocol.version
    return study.document.replace(f"version = {version}", f"version = {version + 1}", 1) + stage


def _open(study: Study, person: User | None = None, stage: str = SECOND) -> None:
    """The later version, with the stage opened for finished cases, by the job that does."""
    version = study.protocol.version + 1
    assert change_protocol(study, _later(study, stage), person=person, finished=FinishedCases.OPEN)
    name = study.protocol.steps[-1].name
    key = None if person is None else person.pk
    open_added_stages.call(study=study.name, stages=[name], version=version, person=key)


def _case(number: int) -> Case:
    return Case.objects.select_related("study").get(code=f"C{number:04d}")


def test_nobody_adds_a_stage_behind_finished_cases_without_saying_what_becomes_of_them(study: Study) -> None:
    with pytest.raises(RejectedInput) as refused:
        change_protocol(study, _later(study))
    assert refused.value.code == "protocol-stage-added"
    assert "2 finished cases were never in Second review" in refused.value.message
    study.refresh_from_db()
    assert "second" not in [stage.name for stage in study.protocol.steps]


def test_what_is_left_stays_finished_and_is_not_asked_about_again(study: Study) -> None:
    assert change_protocol(study, _later(study), finished=FinishedCases.LEAVE)
    for number in (1, 2):
        assert open_stages(_case(number)) == []
        assert approved_review(_case(number)) is not None
    assert change_protocol(study, _later(study, "")), "nothing is added by this one"


def test_it_is_opened_for_finished_cases_which_stay_approved_and_released_until_it_is_decided(study: Study) -> None:
    manager, judge = first_account(Role.DATA_MANAGER), worker(study, Role.RADIOLOGIST, 2)
    _open(study, manager)
    assert [open_stages(_case(number)) for number in (1, 2)] == [[("second", 1)], [("second", 1)]]
    assert "second" not in dict(open_stages(_case(3))), "it is on its way there anyhow"
    assert [approved_review(_case(number)) is not None for number in (1, 2)] == [True, True]
    built = publish_release(study, ReleaseSettings(name="tumours", version="1.0.0", licence="CC0-1.0"))
    assert {case.code for case in built.release.cases.all()} == {"C0001", "C0002"}

    masks = [standing_of(_case(number)).mask for number in (1, 2)]
    approve(masks[0], judge)
    approve(masks[1], judge, verdict=Verdict.RETURN, comment="The edge is wrong")
    assert [approved_review(_case(number)) is not None for number in (1, 2)] == [True, False]
    assert [open_stages(_case(number)) for number in (1, 2)] == [[], [("annotate", 2)]]
    built = publish_release(study, ReleaseSettings(name="tumours", version="1.1.0", licence="CC0-1.0"))
    assert {case.code for case in built.release.cases.all()} == {"C0001"}


def test_the_history_says_who_opened_it_and_why(study: Study) -> None:
    manager = first_account(Role.DATA_MANAGER)
    _open(study, manager)
    rows = Transition.objects.filter(row__stage="second")
    assert {(one.state, one.person, one.why) for one in rows} == {
        ("open", manager, f"added by version {study.protocol.version} of the protocol")
    }
    assert ProtocolVersion.objects.latest("pk").person == manager
    told = [step for step in story_of(_case(1), is_reader=True, is_manager=True) if "Second review" in step.words]
    assert [step.comment for step in told] == [f"added by version {study.protocol.version} of the protocol"]


def test_the_job_opens_nothing_twice(study: Study) -> None:
    _open(study)
    again = {"study": study.name, "stages": ["second"], "version": 2, "person": None}
    assert open_added_stages.call(**again) == 0
    approve(standing_of(_case(1)).mask, worker(study, Role.RADIOLOGIST, 2))
    assert open_added_stages.call(**again) == 0
    assert CaseStage.objects.filter(case=_case(1), stage="second").count() == 1


def test_a_save_ends_the_approval_as_it_always_does(study: Study) -> None:
    _open(study)
    task = LabelingTask.objects.get(case=_case(1), slice_index=3)
    saved(task, identifier=900)
    assert approved_review(_case(1)) is None


def test_a_drawing_stage_that_is_added_asks_for_slices_that_are_drawn_already(study: Study) -> None:
    _open(study, stage=DRAWN_AGAIN)
    drawer = worker(study, Role.ANNOTATOR, 2)
    follow(_case(1), standing_of(_case(1)).drawn)
    assert open_stages(_case(1)) == [("edges", 1)], "what was drawn before is not what it asks for"
    work = claim_next(study, drawer)
    assert (work.row.stage, work.slices.count()) == ("edges", 2)
    assert approved_review(_case(1)) is not None, "until somebody draws"


def test_what_finished_cases_are_not_due_for_is_not_asked(study: Study) -> None:
    protocol = study.protocol
    first = STAGES.replace('name = "annotate"', 'name = "look"', 1).split("\n\n")[0].replace("Drawing", "Look")
    assert finished_without(study, protocol, _read(_later(study, first))) == {}, "a stage with which cases begin"
    waits = SECOND.replace("second", "third").replace('after = ["first"]', 'after = ["second"]')
    found = finished_without(study, protocol, _read(_later(study, SECOND + waits)))
    assert {stage.name: len(keys) for stage, keys in found.items()} == {"second": 2}, "the third follows the second"
    down = SECOND.replace('returns_to = "annotate"', 'goes_down_on = ["incorrect"]\ngoes_down_to = "edges"')
    rung = DRAWN_AGAIN.replace('after = ["first"]', 'after = ["second"]')
    found = finished_without(study, protocol, _read(_later(study, down + rung)))
    assert [stage.name for stage in found] == ["second"], "nor a rung of a ladder"


def test_a_chain_of_added_stages_opens_one_after_the_other_and_leaves_the_approval(study: Study) -> None:
    waits = SECOND.replace("second", "third").replace('after = ["first"]', 'after = ["second"]')
    assert change_protocol(study, _later(study, SECOND + waits), finished=FinishedCases.OPEN)
    names = {"study": study.name, "stages": ["second", "third"], "version": 2, "person": None}
    assert open_added_stages.call(**names) == 2
    assert open_stages(_case(1)) == [("second", 1)]
    approve(standing_of(_case(1)).mask, worker(study, Role.RADIOLOGIST, 2))
    assert open_stages(_case(1)) == [("third", 1)]
    assert approved_review(_case(1)) is not None


def test_however_many_cases_are_counted_by_one_query(django_assert_num_queries: Any) -> None:
    study = study_of("t1", "many", stages=ONE_REVIEW)
    for number in range(1, 8):
        case = bare_case(study, number)
        begin(case)
        finish(row_of(case, "annotate"))
        finish(row_of(case, "first"))
    with django_assert_num_queries(1):
        found = finished_without(study, study.protocol, _read(_later(study)))
    assert [len(keys) for keys in found.values()] == [7]


def test_the_page_asks_and_then_does_what_is_said(study: Study) -> None:
    client, place = signed_in(first_account(Role.DATA_MANAGER)), page_of(study, "protocol-change")
    page = client.get(place)
    assert (page.status_code, b'name="finished"' in page.content) == (200, False)
    written = _later(study)
    asked = client.post(place, {"document": _later(study).replace("\n", "\r\n")})
    assert asked.status_code == 409
    assert b"2 finished cases were never in Second review" in asked.content
    assert asked.content.count(b'type="radio"') == 2
    assert b"name = &quot;second&quot;" in asked.content, "what was written is kept"
    answer = client.post(place, {"document": _later(study).replace("\n", "\r\n"), "finished": "open"}, follow=True)
    assert answer.redirect_chain == [(page_of(study, "study"), 302)]
    assert b"is in force" in answer.content
    study.refresh_from_db()
    assert study.document == written
    assert ProtocolVersion.objects.latest("pk").person == first_account(Role.DATA_MANAGER)


@pytest.mark.parametrize("document", ["", "name =", "\0", "x" * 2_000_000], ids=["none", "no TOML", "NUL", "too large"])
def test_a_document_with_a_fault_is_refused_by_name_and_changes_nothing(study: Study, document: str) -> None:
    client = signed_in(first_account(Role.DATA_MANAGER))
    before = study.document
    answer = client.post(page_of(study, "protocol-change"), {"document": document})
    assert answer.status_code == 409
    assert b"[protocol-" in answer.content
    study.refresh_from_db()
    assert study.document == before


def test_the_command_asks_and_then_does_what_is_said(study: Study, tmp_path: Any, capsys: Any) -> None:
    (tmp_path / "later.toml").write_text(_later(study))
    with pytest.raises(SystemExit):
        call_command("change_protocol", str(tmp_path / "later.toml"))
    assert "protocol-stage-added" in capsys.readouterr().err
    call_command("change_protocol", str(tmp_path / "later.toml"), "--finished", "leave")
    assert [stage.name for stage in the_study().protocol.steps][-1] == "second"


def _read(document: str) -> Any:
    from datasets.study.protocol_document import read_protocol

    return read_protocol(document)
