"""Bad input about reviews: verdicts that nobody may give, words that are markup, filters that ask for more."""

import json
from typing import Any

import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.labeling.models import CaseMask, LabelingTask
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.review.comments.services import answer, pin
from annotation_backend.review.models import Comment, Review, Verdict
from annotation_backend.review.seen import seen_now
from annotation_backend.stages.flow import finish, follow, open_rows, reopen
from datasets.errors import RejectedInput
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import approve, member, saved, second_study, signed_in

pytestmark = pytest.mark.django_db

CASE = "C0001"
MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[x](javascript:alert(1)) ![x](https://evil.test/x.png)",
    "{{ 7|add:7 }}{% debug %}",
    "</script><svg/onload=alert(1)>",
)
LISTS = (
    *("audit-log", "work-table", "my-work", "bulk-verdicts", "review-queue", "case-list", "people", "dashboard"),
    *("agreement", "adjudication-list", "control-list", "finding-list", "release-list", "model-list"),
)
QUERIES = (
    {"person__password": "x", "password__startswith": "p"},
    {"order_by": ";", "order": "'; DROP TABLE accounts_user; --"},
    {"page": "-1"},
    {"page": "9" * 400, "limit": "1e9"},
    {"before": "2026-01-01T00:00:00Z-1-99999999999999999999", "after": f"C:{'9' * 30}"},
    {"stage": "\0", "site": "\0", "case": "\0", "kind": "x:y:z", "since": "9999-99-99", "until": "0000-00-00"},
    {"page": ["1", "2"], "person": ["1", "x"], "_connector": "OR", "_negated": "1"},
    {"person": "1" * 40, "since": "0001-01-01", "until": "9999-12-31"},
)


def _verdict(mask: CaseMask, /, **changes: Any) -> dict[str, Any]:
    said = {"mask": mask.pk, "seen": seen_now(mask.case).sha256, "quality_score": "excellent"}
    return {**said, "verdict": "approve", "accepts_unannotated": "on", "comment": "", **changes}


def _given(client: Client, mask: CaseMask, /, **changes: Any) -> int:
    return client.post(page_at("review-case", CASE), _verdict(mask, **changes)).status_code


def test_who_has_no_role_or_that_of_drawing_gives_no_verdict(mask: CaseMask, people: dict[Role, User]) -> None:
    stranger = User.objects.create_user("nobody@hospital.org")
    other = second_study()
    elsewhere = User.objects.create_user("elsewhere@hospital.org")
    other.memberships.create(person=elsewhere, role=Role.RADIOLOGIST)
    found = [_given(signed_in(who), mask) for who in (stranger, elsewhere, people[Role.ANNOTATOR])]
    assert found == [404, 404, 403]
    assert _given(signed_in(people[Role.DATA_MANAGER]), mask) == 409
    for person in (stranger, elsewhere, people[Role.ANNOTATOR], people[Role.DATA_MANAGER]):
        with pytest.raises(RejectedInput, match="not-a-radiologist"):
            approve(mask, person)
    assert not Review.objects.exists()


def test_ones_own_drawing_is_not_approved(mask: CaseMask, people: dict[Role, User], radiologist: Client) -> None:
    saved(LabelingTask.objects.get(slice_index=3), identifier=8, person=3)
    own = assemble(mask.case)
    assert own is not None
    assert _given(radiologist, own) == 409
    with pytest.raises(RejectedInput, match="own-drawing"):
        approve(own, people[Role.RADIOLOGIST])


@pytest.mark.parametrize("first", [Verdict.APPROVE, Verdict.RETURN])
@pytest.mark.parametrize("second", [Verdict.APPROVE, Verdict.RETURN])
def test_a_second_verdict_on_a_mask_is_refused_whoever_gives_it(
    mask: CaseMask, people: dict[Role, User], radiologist: Client, first: Verdict, second: Verdict
) -> None:
    approve(mask, people[Role.RADIOLOGIST], verdict=first, comment="x")
    other = signed_in(member("second@hospital.org", Role.RADIOLOGIST))
    for client in (radiologist, other):
        assert _given(client, mask, verdict=second.value, comment="y") == 409
    assert Review.objects.count() == 1


def test_a_verdict_on_what_is_shown_no_more_is_refused(mask: CaseMask, radiologist: Client) -> None:
    stale = _verdict(mask)
    saved(LabelingTask.objects.get(slice_index=3), identifier=8)
    address = page_at("review-case", CASE)
    assert radiologist.post(address, stale).status_code == 409, "a save waits"
    now = assemble(mask.case)
    assert now is not None
    assert radiologist.post(address, stale).status_code == 409, "another mask counts"
    assert radiologist.post(address, {**stale, "mask": now.pk}).status_code == 409, "with the former page's digest"
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": "down"},
        {"verdict": "approve; --"},
        {"quality_score": "6"},
        {"quality_score": ["excellent", "x"]},
        {"mask": "1e9"},
        {"mask": "-1"},
        {"seen": "x" * 10_000},
        {"comment": "x" * (1 << 20)},
        {"comment": "a\0b"},
    ],
)
def test_forms_that_hold_something_else_are_refused(
    mask: CaseMask, radiologist: Client, changes: dict[str, Any]
) -> None:
    assert _given(radiologist, mask, **changes) in (400, 404, 409)
    assert not Review.objects.exists()


def test_a_case_that_waits_for_no_review_takes_no_verdict(mask: CaseMask, people: dict[Role, User]) -> None:
    case = mask.case
    follow(case, standing_of(case).drawn)
    for row in open_rows(case):
        if row.stage == "review":
            finish(row)
    with pytest.raises(RejectedInput, match="stage-not-open"):
        approve(mask, people[Role.RADIOLOGIST])
    reopen(case, why="again")
    approve(mask, people[Role.RADIOLOGIST])


@pytest.mark.parametrize("words", MARKUP)
def test_markup_in_comments_and_verdicts_is_shown_as_written_and_does_nothing(
    mask: CaseMask, people: dict[Role, User], radiologist: Client, words: str
) -> None:
    said = pin(mask.case, people[Role.RADIOLOGIST], voxel=[3, 4, 2], text=words, mask=mask)
    answer(said, people[Role.ANNOTATOR], text=words)
    approve(mask, people[Role.RADIOLOGIST], verdict=Verdict.RETURN, comment=words)
    for name in ("review-comments", "review-case", "case-page"):
        page = radiologist.get(page_at(name, CASE)).content.decode()
        assert "<script>alert" not in page, name
        assert "<img src=x" not in page, name
        assert "<svg/onload" not in page, name
        assert 'href="javascript' not in page, name
        assert "evil.test/x.png)" not in page.replace("![x](https://evil.test/x.png)", ""), name
        assert "{{ 7|add:7 }}" in page or words[0] != "{", name
    audit = signed_in(people[Role.DATA_MANAGER]).get(page_at("audit-log")).content.decode()
    assert "<script>alert" not in audit


def test_a_megabyte_and_signs_that_nobody_sees_are_refused_or_taken_out(
    mask: CaseMask, people: dict[Role, User], radiologist: Client
) -> None:
    address = page_at("review-comments", CASE)
    place = {"i": 3, "j": 4, "k": 2, "mask": mask.pk}
    for text in ("x" * (1 << 20), "\x00\x07\x1b", " \u202e\u200f "):
        refused = radiologist.post(address, {**place, "text": text})
        assert refused.status_code == 400, text[:5]
        assert set(json.loads(refused.content)) == {"code", "message", "remedy"}
    for wrong in ({"i": -1}, {"j": 1 << 40}, {"k": "1e3"}, {"mask": "x"}, {"i": 24}):
        assert radiologist.post(address, {**place, **wrong, "text": "x"}).status_code == 400, wrong
    assert not Comment.objects.exists()
    comment = pin(mask.case, people[Role.RADIOLOGIST], voxel=[3, 4, 2], text="a\x07b\u202ec\x1b[31m\nd")
    assert comment.text == "abc[31m\nd"
    reply = page_at("review-comment", CASE, comment.pk)
    for text in ("y" * (1 << 20), "\x00"):
        assert radiologist.post(reply, {"text": text}).status_code == 302
    assert Comment.objects.count() == 1


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: next(iter(query)))
def test_filters_that_ask_for_something_else_find_nothing_more(
    mask: CaseMask, people: dict[Role, User], query: dict[str, Any]
) -> None:
    manager = signed_in(people[Role.DATA_MANAGER], raise_request_exception=False)
    for name in LISTS:
        answered = manager.get(page_at(name), query)
        assert answered.status_code in (200, 400), (name, query)
        assert b"pbkdf2" not in answered.content
    for name in ("audit-csv", "active-time-csv", "agreement-csv", "controls-csv"):
        assert manager.get(page_at(name), query).status_code in (200, 400), (name, query)


@pytest.mark.parametrize("code", ["\0", "x" * 5000, "' OR 1=1 --", "C0001\0"])
def test_codes_that_are_none_in_forms_are_answered_by_name(
    mask: CaseMask, people: dict[Role, User], radiologist: Client, code: str
) -> None:
    said = {"case": code, "verdict": "approve", "quality_score": "excellent"}
    assert radiologist.post(page_at("bulk-verdicts"), said).status_code == 200
    assert radiologist.post(page_at("next-case"), {"after": code, "order": code}).status_code == 302
    sign = {"sign": "active", "page": "case", "case": code}
    assert radiologist.post(page_at("activity"), sign).status_code in (204, 404)
    row = {"action": "back", "row": [code, "-1", "1e9", "9" * 30]}
    assert signed_in(people[Role.DATA_MANAGER]).post(page_at("work-table"), row).status_code == 302
    assert not Review.objects.exists()
