"""Verdicts, saves, registrations, exclusions and builds at the same moment, on a database that threads share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotation_backend.accounts.models import Role
from annotation_backend.cases.exclusion import exclude
from annotation_backend.cases.models import Case, Registration
from annotation_backend.labeling.models import CaseMask, LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.publishing.models import Release
from annotation_backend.publishing.services import publish_release
from annotation_backend.review.models import Review, Verdict, VerdictEnd, approved_review
from annotation_backend.review.services import decide
from datasets.release.build import ReleaseSettings
from datasets.study.case import QualityScore
from tests.annotation_backend.support.on_disk import at_once, database_on_disk, in_a_thread
from tests.annotation_backend.support.records import (
    accounts,
    first_account,
    published,
    register_otherwise,
    registered_case,
    saved,
    the_study,
)

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 3


@pytest.fixture(autouse=True)
def on_disk(tmp_path: Path, settings) -> Iterator[None]:
    settings.DATA_FOLDER = tmp_path / "data"
    accounts()
    with database_on_disk(tmp_path / "maskloop.sqlite3"):
        yield


def _drawn_case(number: int) -> CaseMask:
    task = published(registered_case(f"C{number:04d}"), first_task=number * 100)[2]
    saved(task, identifier=number * 100)
    mask = assemble(task.case)
    assert mask is not None
    return mask


def _approve(mask: CaseMask, verdict: Verdict = Verdict.APPROVE) -> Review:
    radiologist = first_account(Role.RADIOLOGIST)
    words = {"comment": "x", "accepts_unannotated": True}
    return decide(mask, radiologist, verdict=verdict, quality_score=QualityScore.EXCELLENT, **words)  # type: ignore[arg-type]


def _draw_more(case: Case) -> None:
    task = LabelingTask.objects.get(case=case, slice_index=3)
    saved(task, identifier=task.label_studio_id)


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_no_approval_holds_when_a_save_came_at_the_same_moment(number: int) -> None:
    mask = in_a_thread(lambda: _drawn_case(number))
    given, _ = at_once(lambda: _approve(mask), lambda: _draw_more(mask.case))
    assert in_a_thread(lambda: approved_review(mask.case)) is None
    ended = in_a_thread(VerdictEnd.objects.count)
    assert (isinstance(given, Review), ended) in [(True, 1), (False, 0)]


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_a_registration_and_a_save_at_the_same_moment_leave_one_of_them_first(number: int) -> None:
    def fresh() -> LabelingTask:
        return published(registered_case(f"C{number:04d}"), first_task=number * 100)[2]

    task = in_a_thread(fresh)
    before = in_a_thread(Registration.objects.get).record_sha256
    outcome, _ = at_once(lambda: register_otherwise(task.case), lambda: saved(task))
    now = in_a_thread(Registration.objects.get)
    assert (outcome == "case-annotated") == (now.record_sha256 == before)
    assert outcome in ("case-annotated", None)
    assert in_a_thread(lambda: all(image.path.exists() for image in now.case.images.all()))
    assert in_a_thread(lambda: register_otherwise(task.case, "third")) == "case-annotated"


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_an_exclusion_and_an_approval_at_the_same_moment_leave_no_approval_of_an_excluded_case(number: int) -> None:
    mask = in_a_thread(lambda: _drawn_case(number))
    given, excluded = at_once(lambda: _approve(mask), lambda: exclude(mask.case, reason="Another patient."))
    assert given == "case-excluded" or given.created <= excluded.created


def test_of_twenty_verdicts_at_once_one_is_given() -> None:
    mask = in_a_thread(lambda: _drawn_case(1))
    verdicts = [Verdict.APPROVE, Verdict.RETURN] * 10
    outcomes = at_once(*(lambda verdict=verdict: _approve(mask, verdict) for verdict in verdicts))
    assert sorted(str(outcome) for outcome in outcomes if not isinstance(outcome, Review)) == ["already-decided"] * 19
    assert in_a_thread(Review.objects.count) == 1


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_a_case_that_is_excluded_or_drawn_on_before_the_release_is_recorded_is_not_in_it(number: int) -> None:
    masks = in_a_thread(lambda: [_drawn_case(1), _drawn_case(2)])
    in_a_thread(lambda: [_approve(mask) for mask in masks] and None)
    settings = ReleaseSettings(name="tumours", version="1.0.0", licence="CC0-1.0")
    change = exclude if number % 2 else None

    def leave() -> object:
        return change(masks[0].case, reason="Withdrawn.") if change else _draw_more(masks[0].case)

    built, left = at_once(lambda: publish_release(the_study(), settings), leave)
    codes = in_a_thread(lambda: [case.code for case in Release.objects.get().cases.all()])
    assert codes in (["C0001", "C0002"], ["C0002"])
    assert [finding.subject for finding in built.findings] in ([], ["C0001"])
    if codes == ["C0001", "C0002"]:
        moment = left.created if change else in_a_thread(VerdictEnd.objects.get).created
        assert built.release.created <= moment
