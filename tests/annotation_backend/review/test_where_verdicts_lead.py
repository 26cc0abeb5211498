"""The review page says which stage a verdict is given in, and where each verdict leads."""

import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.review.models import Review, Verdict
from annotation_backend.stages.assigning import assign, give_back
from annotation_backend.stages.flow import follow
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from datasets.study.stage import AssignedBy
from tests.annotation_backend.stages.world import worker
from tests.annotation_backend.support.records import accounts, published, registered_case, saved, signed_in, the_study

pytestmark = pytest.mark.django_db

LADDER = """
[[stages]]
name = "first"
title = "Interactive"
does = "draw"
done_by = "annotator"

[[stages]]
name = "score"
title = "Score of the interactive mask"
done_by = "radiologist"
by_another = true
after = ["first"]
goes_down_on = ["insufficient", "incorrect"]
goes_down_to = "by-hand"

[[stages]]
name = "by-hand"
title = "Manual"
does = "draw"
done_by = "annotator"
method = "manual"
after = ["score"]
opens_next = "hand-in"
"""


@pytest.fixture
def case(settings, tmp_path) -> Case:
    settings.DATA_FOLDER = tmp_path / "data"
    Study.objects.filter(pk=the_study().pk).update(document=the_study().document.split("[[stages]]")[0] + LADDER)
    accounts()  # before what the annotator saves: what nobody known drew is in no mask
    found = registered_case("C0001")
    for number, task in enumerate(published(found, first_task=1)[:5]):
        saved(task, identifier=1 + number)
    assemble(found)
    follow(found, standing_of(found).drawn)
    return found


@pytest.fixture
def radiologist(case: Case) -> Client:
    return signed_in(User.objects.get(email__startswith="radiologist"))


def _give(client: Client, case: Case, verdict: str, score: str):  # type: ignore[no-untyped-def]
    place = page_of(case.study, "review-case", case.code)
    page = client.get(place)
    mask = CaseMask.objects.filter(case=case).latest("pk")
    words = {"mask": mask.pk, "seen": page.context["seen"], "quality_score": score, "comment": "", "verdict": verdict}
    return client.post(place, words | {"accepts_unannotated": "on"}, follow=True).content.decode()


def test_the_page_names_the_stage_and_where_low_scores_lead(case: Case, radiologist: Client) -> None:
    page = radiologist.get(page_of(case.study, "review-case", case.code)).content.decode()
    assert "Verdict: Score of the interactive mask" in page
    assert "Send down to Manual" in page
    assert "Insufficient, incorrect: the case goes down to <b>Manual</b>" in page
    assert "Return to the annotator" not in page
    assert 'data-down="insufficient incorrect"' in page


def test_a_case_that_went_down_is_not_called_returned(case: Case, radiologist: Client) -> None:
    said = _give(radiologist, case, "return", "incorrect")
    assert Review.objects.get().verdict == Verdict.DOWN
    assert "C0001 went down to Manual, to be drawn afresh." in said
    page = radiologist.get(page_of(case.study, "review-case", case.code)).content.decode()
    assert "Sent down on" in page
    assert "Returned on" not in page


def test_a_stage_that_returns_no_case_says_so_before_it_asks_for_a_comment(case: Case, radiologist: Client) -> None:
    assert "returns no case" in _give(radiologist, case, "return", "excellent")


@pytest.mark.parametrize("how", ["random", "claim"])
def test_whoever_the_case_is_not_given_to_is_told_so_before_they_write_a_verdict(case: Case, how: str) -> None:
    document = case.study.document.replace('name = "score"', f'name = "score"\nassignment = "{how}"')
    Study.objects.filter(pk=case.study.pk).update(document=document)
    other = worker(case.study, Role.RADIOLOGIST, 2)
    client, place = signed_in(other), page_of(case.study, "review-case", case.code)
    page = client.get(place).content.decode()
    assert "data-verdict" not in page
    assert ("assigned to nobody yet" if how == "random" else "Next case to review on My work takes") in page
    row = CaseStage.objects.get(case=case, stage="score")
    given = assign(row, User.objects.get(email__startswith="radiologist@"), how=AssignedBy.HAND)
    assert "assigned to somebody else" in client.get(place).content.decode()
    give_back(given)
    assign(row, other, how=AssignedBy.HAND)
    assert "data-verdict" in client.get(place).content.decode()
