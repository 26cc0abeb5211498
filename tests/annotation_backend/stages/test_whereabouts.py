"""Where a case is on its way, on its page and in lists: what is to be done next, by whom, and nothing of controls."""

from typing import Any

import pytest
from django.utils.timezone import now

from annotation_backend.accounts.models import Role
from annotation_backend.stages.assigning import assign
from annotation_backend.stages.flow import begin, finish, follow, send_back
from annotation_backend.stages.models import CaseStage, Reading
from annotation_backend.stages.whereabouts import whereabouts_of
from annotation_backend.studies.addresses import page_of
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import bare_case, drawn, row_of, study_of, worker
from tests.annotation_backend.support.records import signed_in

pytestmark = pytest.mark.django_db


def test_each_step_says_what_is_to_be_done_and_by_whom() -> None:
    case = bare_case(study_of("mstt-199-staged"))
    assert whereabouts_of([case])[case.pk].words == "Not begun"
    begin(case)
    follow(case, drawn([2]))
    [step] = whereabouts_of([case])[case.pk].steps
    assert step.title == "Adjacent slices"
    assert step.is_next == "an annotator draws the slices beside those that are finished"
    finish(row_of(case, "adjacent"))
    [step] = whereabouts_of([case])[case.pk].steps
    assert step.is_next == "a radiologist who did not draw it gives a verdict"
    send_back(row_of(case, "review"), person=None, why="The border")
    assert whereabouts_of([case])[case.pk].words == "Adjacent slices, round 2"
    finish(row_of(case, "adjacent"))
    finish(row_of(case, "review"))
    assert whereabouts_of([case])[case.pk].words == "Done"


def test_a_model_and_several_readers_are_called_so() -> None:
    ladder = bare_case(study_of("lipoma-ladder"), tissue_type="fat")
    begin(ladder)
    assert whereabouts_of([ladder])[ladder.pk].steps[0].is_next == "a model draws the case"


def test_the_cases_page_names_the_stage_and_a_data_manager_sees_who_has_it() -> None:
    study = study_of("mstt-199-staged")
    case, anna, manager = bare_case(study), worker(study, Role.ANNOTATOR), worker(study, Role.DATA_MANAGER)
    follow(case, drawn([2]))
    place = page_of(study, "case-page", case.code)
    assert "Nobody has it now" in signed_in(manager).get(place).content.decode()
    assign(row_of(case, "adjacent"), anna, [1, 3], how=AssignedBy.CLAIM)
    assert f"Theirs now: Annotator {anna.pk}" in signed_in(manager).get(place).content.decode()
    page = signed_in(anna).get(place).content.decode()
    assert "Adjacent slices" in page
    assert "Theirs now" not in page


def test_who_got_a_control_case_sees_it_where_they_got_it_and_then_in_what_comes_after() -> None:
    study = study_of("mstt-199-staged")
    case, anna = bare_case(study), worker(study, Role.ANNOTATOR)
    follow(case, drawn([2]))
    given = CaseStage.every.create(case=case, stage="centre", is_control=True)
    reading = Reading.objects.create(row=given, person=anna, seat=1)
    client = signed_in(anna)
    pages = [page_of(study, "case-page", case.code), page_of(study, "case-list")]
    for place in pages:
        page = client.get(place).content.decode()
        assert "Centre slice" in page
        assert "Adjacent slices" not in page, "its own way has come so far"
    Reading.objects.filter(pk=reading.pk).update(handed_in_at=now())
    for place in pages:
        page = client.get(place).content.decode()
        assert "Adjacent slices" in page
        assert 'waiting">Centre slice' not in page


@pytest.mark.parametrize("count", [2, 12])
def test_a_list_asks_once_for_all(count: int, django_assert_num_queries: Any) -> None:
    study = study_of("mstt-199-staged")
    cases = [bare_case(study, number) for number in range(1, count + 1)]
    for case in cases:
        begin(case)
    with django_assert_num_queries(1):
        assert {one.words for one in whereabouts_of(cases).values()} == {"Centre slice"}
