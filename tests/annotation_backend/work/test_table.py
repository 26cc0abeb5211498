"""All work on one page: filters, pages, bulk actions, constant queries; the same by command."""

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.stages.assigning import assign
from annotation_backend.stages.flow import follow
from annotation_backend.stages.models import Assignment, CaseStage
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.work.table import ON_A_PAGE, Filters, table
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import bare_case, drawn, row_of, study_of, worker
from tests.annotation_backend.support.records import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def study() -> Study:
    return study_of("mstt-199")


@pytest.fixture
def browser(study: Study) -> Client:
    return signed_in(worker(study, Role.DATA_MANAGER), enforce_csrf_checks=False)


def _reviews(study: Study, count: int) -> list[CaseStage]:
    rows = []
    for number in range(1, count + 1):
        case = bare_case(study, number, slices=1)
        follow(case, drawn([0]))
        rows.append(row_of(case, "review"))
    return rows


def _post(browser: Client, study: Study, action: str, rows: list[CaseStage], person: User | None = None) -> str:
    form: dict[str, Any] = {"action": action, "row": [row.pk for row in rows], "person": person.pk if person else ""}
    return browser.post(page_of(study, "work-table"), form, follow=True).content.decode()


def test_the_table_shows_who_has_what_and_filters_by_stage_site_and_tissue_type(study: Study, browser: Client) -> None:
    radiologist = worker(study, Role.RADIOLOGIST)
    rows = _reviews(study, 3)
    Case.objects.filter(pk=rows[0].case_id).update(anatomical_site="thigh", tissue_type="fat")
    assign(rows[1], radiologist, how=AssignedBy.HAND)
    page = browser.get(page_of(study, "work-table"))
    assert page.content.decode().count('name="row"') == 3
    assert f"Radiologist {radiologist.pk}" in page.content.decode()
    shown = {
        query: [
            one.row.case.code for one in browser.get(f"{page_of(study, 'work-table')}?{query}").context["table"].rows
        ]
        for query in (
            "site=thigh",
            "tissue=fat",
            "stage=review",
            "stage=annotate",
            "free=on",
            "site=nowhere",
            "after=x",
        )
    }
    codes = [row.case.code for row in rows]
    assert shown["site=thigh"] == shown["tissue=fat"] == codes[:1]
    assert shown["stage=review"] == shown["after=x"] == codes
    assert shown["free=on"] == [codes[0], codes[2]]
    assert shown["stage=annotate"] == shown["site=nowhere"] == []


def test_ten_pages_hold_every_row_once_and_in_order(study: Study) -> None:
    cases = [bare_case(study, number, slices=0) for number in range(1, ON_A_PAGE + 30)]
    CaseStage.objects.bulk_create(CaseStage(case=case, stage=name) for case in cases for name in ("annotate", "review"))
    seen, after = [], ""
    while True:
        page = table(study, Filters(after=after))
        assert len(page.rows) <= ON_A_PAGE
        seen += [(one.row.case.code, one.row.stage) for one in page.rows]
        after = page.next_page
        if not after:
            break
    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen) == 2 * len(cases)


@pytest.mark.parametrize("count", [3, 40])
def test_the_page_asks_as_often_for_many_cases_as_for_three(
    study: Study, browser: Client, count: int, django_assert_num_queries
) -> None:
    people = [worker(study, Role.RADIOLOGIST, number) for number in (1, 2)]
    for number, row in enumerate(_reviews(study, count)):
        assign(row, people[number % 2], how=AssignedBy.HAND)
    browser.get(page_of(study, "work-table"))
    with django_assert_num_queries(QUERIES):
        browser.get(page_of(study, "work-table"))


QUERIES = 12


def test_many_are_given_to_one_person_and_taken_from_another(study: Study, browser: Client) -> None:
    first, second = (worker(study, Role.RADIOLOGIST, number) for number in (1, 2))
    rows = _reviews(study, 3)
    assert "2 pieces of work changed hands" in _post(browser, study, "give", rows[:2], first)
    page = _post(browser, study, "give", rows, second)
    assert "1 piece of work changed hands" in page
    assert page.count("[slice-taken]") == 2
    _post(browser, study, "take", rows, second)
    assert {one.person for one in Assignment.objects.filter(state="open")} == {second}
    assert Assignment.objects.filter(person=first, state="taken").count() == 2
    assert {one.by_id for one in Assignment.objects.all()} == {User.objects.get(email__startswith="data_manager").pk}


def test_slices_that_are_free_are_given_by_hand_and_stay_the_persons(study: Study, browser: Client) -> None:
    annotator = worker(study, Role.ANNOTATOR)
    case = bare_case(study)
    follow(case, {})
    _post(browser, study, "give", [row_of(case, "annotate")], annotator)
    one = Assignment.objects.get()
    assert (one.lease_until, list(one.slices.values_list("slice_index", flat=True))) == (None, [0, 1, 2, 3, 4])


def test_work_is_spread_balanced_and_given_back(study: Study, browser: Client) -> None:
    for number in (1, 2, 3):
        worker(study, Role.RADIOLOGIST, number)
    rows = _reviews(study, 7)
    _post(browser, study, "random", rows)
    counts = sorted(
        Assignment.objects.filter(person=one).count() for one in User.objects.filter(email__startswith="radio")
    )
    assert counts == [2, 2, 3]
    page = _post(browser, study, "back", rows[:2])
    assert "2 pieces" in page
    assert "[nobody-has-it]" in _post(browser, study, "back", rows[:2])
    _post(browser, study, "load", rows[:2])
    assert Assignment.objects.filter(state="open").count() == 7


@pytest.mark.parametrize(
    "form",
    [
        {"action": "give"},
        {"action": "nothing", "row": "1"},
        {"action": "back", "row": ["x", "9" * 30, "-1", "\x00"]},
        {"action": "give", "row": "1", "person": "9" * 30},
        {"action": "random"},
    ],
)
def test_forms_that_mean_nothing_change_nothing(study: Study, browser: Client, form: dict[str, Any]) -> None:
    rows = _reviews(study, 1)
    answer = browser.post(page_of(study, "work-table"), form)
    assert answer.status_code in (302, 400)
    assert not Assignment.objects.filter(row=rows[0]).exists()


def test_rows_of_another_study_are_not_touched(study: Study, browser: Client) -> None:
    other = study_of("t1")
    worker(other, Role.RADIOLOGIST)
    _post(browser, study, "random", _reviews(other, 1))
    assert not Assignment.objects.exists()


def test_only_a_data_manager_opens_it_and_a_form_needs_its_token(study: Study) -> None:
    for role in (Role.ANNOTATOR, Role.RADIOLOGIST):
        assert signed_in(worker(study, role)).get(page_of(study, "work-table")).status_code == 403
    manager = signed_in(worker(study, Role.DATA_MANAGER), enforce_csrf_checks=True)
    assert manager.post(page_of(study, "work-table"), {"action": "random"}).status_code == 403


def test_the_command_does_the_same(study: Study) -> None:
    radiologist = worker(study, Role.RADIOLOGIST)
    rows = _reviews(study, 3)
    own = ("--study", study.name)
    call_command("assign_work", "review", "--person", radiologist.email, "--dry-run", *own)
    assert not Assignment.objects.exists()
    call_command("assign_work", "review", "--person", radiologist.email, "--case", rows[0].case.code, *own)
    assert [one.row for one in Assignment.objects.all()] == [rows[0]]
    call_command("assign_work", "review", "--give-back", "--case", rows[0].case.code, *own)
    call_command("assign_work", "review", "--spread", "load", *own)
    assert Assignment.objects.filter(state="open").count() == 3


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nothing", "--give-back"), "stage-unknown"),
        (("review", "--give-back", "--case", "C9999"), "case-unknown"),
        (("review", "--person", "nobody@x.org"), "account-unknown"),
    ],
)
def test_the_command_refuses_what_is_not_there(
    study: Study, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: str
) -> None:
    _reviews(study, 1)
    with pytest.raises(SystemExit):
        call_command("assign_work", *words, "--study", study.name, "--json")
    assert code in capsys.readouterr().out
