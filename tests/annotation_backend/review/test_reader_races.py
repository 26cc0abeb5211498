"""Readers of one stage at the same moment: verdicts, corrections, saves and roles; one outcome each, none lost."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask, Correction, LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.review.corrections.services import correct_in_review
from annotation_backend.review.models import Review, Verdict, VerdictEnd, approved_review
from annotation_backend.stages.flow import follow
from annotation_backend.stages.models import Assignment, CaseStage, Transition
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import take_role
from datasets.formats.nifti import read_mask
from datasets.image.mask import Mask
from tests.annotation_backend.review.test_corrections import CORRECTING
from tests.annotation_backend.support.on_disk import at_once, database_on_disk, in_a_thread
from tests.annotation_backend.support.records import (
    accounts,
    approve,
    member,
    published,
    registered_case,
    saved,
    the_study,
)

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 3
READERS = 3
VERDICTS = 20
"""At the same moment; each reader gives several, of which one is kept."""


@pytest.fixture(autouse=True)
def on_disk(tmp_path: Path, settings) -> Iterator[None]:
    settings.DATA_FOLDER = tmp_path / "data"
    accounts()
    stages = CORRECTING.replace(
        'done_by = "radiologist"', f'done_by = "radiologist"\nreaders = {READERS}\nblind = true'
    )
    stages = stages.replace("readers =", 'assignment = "random"\nreaders =')
    study = the_study()
    Study.objects.filter(pk=study.pk).update(document=study.document.split("[[stages]]")[0] + stages)
    for number in range(1, READERS):
        member(f"more{number}@hospital.org", Role.RADIOLOGIST, label_studio_id=30 + number)
    with database_on_disk(tmp_path / "maskloop.sqlite3"):
        yield


def _drawn(number: int = 1) -> tuple[CaseMask, list[User]]:
    """A drawn case that waits for its readers' verdicts, and these."""
    case = registered_case(f"C{number:04d}")
    saved(published(case, first_task=number * 100)[2], identifier=number * 100)
    mask = assemble(case)
    assert mask is not None
    follow(case, standing_of(case).drawn)
    return mask, [one.person for one in Assignment.objects.filter(row__case=case).order_by("pk")]


def _smaller(mask: CaseMask, count: int) -> Mask:
    read = read_mask(mask.path)
    data = read.data.copy()
    for place in np.argwhere(data)[:count]:
        data[tuple(place)] = 0
    return Mask(data, read.grid, read.labels)


def _state(case: Case) -> str:
    return CaseStage.objects.get(case=case, stage="review", round=1).state


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_the_verdicts_of_all_readers_at_once_close_the_stage_once(number: int) -> None:
    mask, readers = in_a_thread(lambda: _drawn(number))
    found = at_once(*[lambda one=one: approve(mask, one) for one in (readers * VERDICTS)[:VERDICTS]])
    assert sum(isinstance(one, Review) for one in found) == READERS
    assert set(found) - {one for one in found if isinstance(one, Review)} <= {"already-decided", "stage-not-open"}
    assert in_a_thread(lambda: _state(mask.case)) == "done"
    assert in_a_thread(lambda: Transition.objects.filter(row__stage="review", state="done").count()) == 1
    assert in_a_thread(lambda: approved_review(mask.case)) is not None


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_a_save_among_the_verdicts_leaves_a_case_that_all_readers_can_still_decide(number: int) -> None:
    mask, readers = in_a_thread(lambda: _drawn(number))

    def draw() -> None:
        task = LabelingTask.objects.get(case=mask.case, slice_index=3)
        saved(task, identifier=task.label_studio_id)

    given = at_once(draw, *[lambda one=one: approve(mask, one) for one in readers])[1:]
    reviews = [one for one in given if isinstance(one, Review)]
    assert in_a_thread(lambda: approved_review(mask.case)) is None

    def ended() -> int:
        return VerdictEnd.objects.filter(review__in=[one.pk for one in reviews]).count()

    assert in_a_thread(ended) in (len(reviews), 1), "of an approval by all, its last verdict ends"

    def decide_anew() -> Review | None:
        now = assemble(mask.case)
        assert now is not None
        for reader in readers:
            approve(now, reader)
        return approved_review(mask.case)

    assert in_a_thread(decide_anew) is not None


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_of_two_corrections_of_one_mask_one_is_kept(number: int) -> None:
    mask, readers = in_a_thread(lambda: _drawn(number))
    found = at_once(
        *[
            lambda one=one, count=count: correct_in_review(mask.case, one, _smaller(mask, count), base=mask)
            for count, one in enumerate(readers, start=1)
        ]
    )
    assert sorted(isinstance(one, Correction) for one in found) == [False, False, True]
    assert {one for one in found if isinstance(one, str)} <= {"mask-superseded"}


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
@pytest.mark.parametrize("verdict", [Verdict.APPROVE, Verdict.RETURN])
def test_a_role_that_is_taken_during_the_verdict_leaves_it_or_refuses_it(number: int, verdict: Verdict) -> None:
    mask, readers = in_a_thread(lambda: _drawn(number))
    leaver = readers[0]
    given, _ = at_once(
        lambda: approve(mask, leaver, verdict=verdict, comment="x"), lambda: take_role(the_study(), leaver)
    )
    assert isinstance(given, Review) or given in ("not-a-radiologist", "not-assigned")
    open_ones = in_a_thread(lambda: Assignment.objects.filter(person=leaver, state="open").count())
    assert (open_ones, in_a_thread(Review.objects.count)) == (0, int(isinstance(given, Review)))
    assert in_a_thread(lambda: approve(mask, leaver)) in ("not-a-radiologist", "already-decided")
