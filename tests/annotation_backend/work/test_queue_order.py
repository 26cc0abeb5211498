"""The queue where the model is least sure: the number that a drawing leaves orders reviewers and annotators alike."""

from dataclasses import replace

import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.inference.serving.initial_masks import initial_masks
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.registry.models import PromptKind
from annotation_backend.review.queue_order import QueueOrder, waiting_behind, waiting_first
from annotation_backend.review.services import entries_of, next_waiting
from annotation_backend.stages.flow import follow
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.models import Study
from annotation_backend.work.taking.claiming import next_review
from annotation_backend.work.taking.orders import Order, in_order
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import approve, published, registered_case, saved, signed_in, the_study
from tests.annotation_backend.support.segmenters import BrightSegmenter, drawn_by, known_model
from training.segmenters.segmenter import Segmentation, SegmentationRequest

pytestmark = pytest.mark.django_db

SURE = {"C0001": 0.9, "C0002": 0.4, "C0003": None, "C0004": 0.4, "C0005": 0.7}
LEAST_SURE_FIRST = ["C0002", "C0004", "C0005", "C0001", "C0003"]


class AsSureAs(BrightSegmenter):
    """Is as sure as it is told."""

    def __init__(self, score: float | None) -> None:
        super().__init__()
        self.score = score

    def segment(self, request: SegmentationRequest) -> Segmentation:
        return replace(super().segment(request), used={}, score=self.score if request.wants_uncertainty else None)


@pytest.fixture
def cases(people: dict[Role, User], monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """Five cases that wait for a review, drawn before by a model that is sure of them in other measures."""
    model = known_model(kinds=(PromptKind.AUTOMATIC,))
    found = []
    for number, (code, score) in enumerate(SURE.items(), start=1):
        task = published(registered_case(code), first_task=100 * number)[2]
        case = Case.objects.with_images().get(code=code)
        drawn_by(monkeypatch, AsSureAs(score))
        initial_masks(case, range(5), model=model)
        saved(task, identifier=number)
        assert assemble(case) is not None
        follow(case, standing_of(case).drawn)
        found.append(case)
    return found


def _codes(rows: object) -> list[str]:
    return [case.code for case in rows]  # type: ignore[attr-defined]


def test_the_list_is_sorted_and_says_the_estimates(cases: list[Case], people: dict[Role, User]) -> None:
    browser = signed_in(people[Role.RADIOLOGIST])
    approve(cases[1].masks.get(), people[Role.RADIOLOGIST])
    found = entries_of(waiting_first(the_study(), QueueOrder.UNCERTAINTY))
    assert _codes(entry.case for entry in found) == ["C0004", "C0005", "C0001", "C0003", "C0002"], "decided ones last"
    page = browser.get(page_at("review-queue"), {"order": "uncertainty"}).content.decode()
    assert "0.40 of 1" in page
    assert page.index(">C0004<") < page.index(">C0005<") < page.index(">C0001<") < page.index(">C0003<")
    assert 'review/C0004/?order=uncertainty"' in page
    assert _codes(entry.case for entry in entries_of(waiting_first(the_study()))) == [
        *sorted({*SURE} - {"C0002"}),
        "C0002",
    ]
    for word in ("", "odd", "code"):
        plain = browser.get(page_at("review-queue"), {"order": word}).content.decode()
        assert "0.40 of 1" not in plain
        assert "?order=" not in plain


def test_one_goes_from_case_to_case_in_the_order(cases: list[Case], people: dict[Role, User]) -> None:
    study, reviewer = the_study(), people[Role.RADIOLOGIST]
    by_code = {case.code: case for case in cases}
    for now, following in zip(LEAST_SURE_FIRST, [*LEAST_SURE_FIRST[1:], LEAST_SURE_FIRST[0]], strict=True):
        found = next_waiting(study, reviewer, after=by_code[now], order=QueueOrder.UNCERTAINTY)
        assert found is not None
        assert (now, found.code) == (now, following)
    behind = _codes(
        case for portion in waiting_behind(study, by_code["C0005"], QueueOrder.UNCERTAINTY) for case in portion
    )
    assert behind == ["C0001", "C0003", "C0002", "C0004"]
    browser = signed_in(reviewer)
    answer = browser.get(page_at("review-next", "C0002"), {"order": "uncertainty"})
    assert answer.headers["Location"] == page_at("review-case", "C0004") + "?order=uncertainty"
    page = browser.get(answer.headers["Location"]).content.decode()
    assert f'href="{page_at("review-next", "C0004")}?order=uncertainty"' in page


def test_a_verdict_leads_on_in_the_order(cases: list[Case], radiologist: Client) -> None:
    page = radiologist.get(page_at("review-case", "C0004"), {"order": "uncertainty"})
    form = {"mask": page.context["mask"].pk, "seen": page.context["seen"], "quality_score": "sufficient"}
    form |= {"verdict": "approve", "accepts_unannotated": "on"}
    answer = radiologist.post(page_at("review-case", "C0004") + "?order=uncertainty", form)
    assert answer.headers["Location"] == page_at("review-case", "C0005") + "?order=uncertainty"


def test_the_number_of_a_drawing_orders_what_annotators_and_reviewers_take_next(
    cases: list[Case], people: dict[Role, User], study: Study
) -> None:
    """The very rows that `initial_masks` left, through the same order of the work of both."""
    for stage in ("annotate", "review"):
        rows = in_order(CaseStage.objects.filter(stage=stage, state="open"), Order.UNCERTAINTY, study=study)
        assert _codes(row.case for row in rows) == LEAST_SURE_FIRST
    answer = signed_in(people[Role.RADIOLOGIST]).post(page_at("next-case"), {"order": "uncertainty"})
    assert answer.headers["Location"] == page_at("review-case", "C0002") + "?order=uncertainty"
    found = next_review(study, people[Role.RADIOLOGIST], order=Order.UNCERTAINTY)
    assert found.why == "The model is least sure here: it puts the quality of its masks at 0.40 of 1"
