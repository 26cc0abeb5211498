"""Permissions: addresses by role, pictures by capability, Label Studio by password."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import Annotation, CaseMask
from annotation_backend.labeling.studio.credentials import basic_auth, webhook_headers
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.review.models import Review
from tests.annotation_backend.learning.tried_models import tried_model
from tests.annotation_backend.support.addresses import PLAIN, Address, address_of, every_address, page_at
from tests.annotation_backend.support.records import published, registered_case, save_body, saved

pytestmark = pytest.mark.django_db

OPEN = {
    *("login", "logout", "alive", "guide", "capability-picture", "invitation"),
    *("account_login", "account_logout", "account_inactive", "account_reset_password", "account_reset_password_done"),
    *("account_reset_password_from_key", "account_reset_password_from_key_done", "mfa_login_webauthn"),
    *("openid_connect_login", "openid_connect_callback", "socialaccount_login_cancelled", "socialaccount_login_error"),
}
REVIEWERS = {Role.ADMINISTRATOR, Role.DATA_MANAGER, Role.RADIOLOGIST}


@pytest.fixture
def case(people: dict[Role, User]) -> Case:
    return registered_case()


@pytest.fixture
def mask(case: Case) -> CaseMask:
    task = published(case)[2]
    saved(task)
    made = assemble(case)
    assert made is not None
    return made


@pytest.mark.parametrize("pattern", [p for p in every_address() if p.name not in OPEN], ids=lambda p: p.name)
def test_nothing_opens_without_signing_in(client: Client, case: Case, pattern: Address) -> None:
    answer = client.get(address_of(pattern))
    signs_in = answer.status_code == 302 and "/accounts/login/" in answer["Location"]
    assert signs_in or answer.status_code in (401, 405)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("home", set(Role)),
        ("study", set(Role)),
        ("study-protocol", {Role.ADMINISTRATOR, Role.DATA_MANAGER}),
        ("protocol-change", {Role.ADMINISTRATOR, Role.DATA_MANAGER}),
        ("case-list", set(Role)),
        ("case-page", set(Role)),
        ("slice-picture", set(Role)),
        ("registration-page", set(Role)),
        ("registration-of-image", set(Role)),
        ("registration-slice", set(Role)),
        ("registration-queue", REVIEWERS),
        ("patient-page", REVIEWERS),
        ("cohort-report", REVIEWERS),
        ("model-list", set(Role)),
        ("model-compare", REVIEWERS),
        ("model-page", REVIEWERS),
        ("model-trace", REVIEWERS),
        ("run-page", REVIEWERS),
        ("release-list", set(Role)),
        ("review-queue", REVIEWERS),
        ("review-case", REVIEWERS),
        ("slice-with-mask", REVIEWERS),
        ("agreement", REVIEWERS),
        ("agreement-csv", REVIEWERS),
        ("agreement-case", REVIEWERS),
        ("adjudication-list", REVIEWERS),
        ("adjudication", REVIEWERS),
        ("control-list", {Role.ADMINISTRATOR, Role.DATA_MANAGER}),
        ("controls-csv", {Role.ADMINISTRATOR, Role.DATA_MANAGER}),
        ("own-controls", set(Role)),
        ("finding-list", REVIEWERS),
        ("slice-versions", set(Role)),
        ("compare-versions", set(Role)),
        ("comparison-picture", set(Role)),
        ("my-work", set(Role)),
        ("work-table", {Role.ADMINISTRATOR, Role.DATA_MANAGER}),
        ("bulk-verdicts", REVIEWERS),
        ("project-settings", {Role.ADMINISTRATOR, Role.DATA_MANAGER}),
        ("people", {Role.ADMINISTRATOR, Role.DATA_MANAGER}),
        ("guide", set(Role)),
        ("dashboard", REVIEWERS),
        ("figure-csv", REVIEWERS),
        ("audit-log", {Role.ADMINISTRATOR, Role.DATA_MANAGER}),
        ("audit-csv", {Role.ADMINISTRATOR, Role.DATA_MANAGER}),
        ("active-time-csv", {Role.ADMINISTRATOR, Role.DATA_MANAGER}),
    ],
)
def test_each_role_opens_its_pages_and_no_others(
    client: Client, people: dict[Role, User], mask: CaseMask, role: Role, name: str, allowed: set[Role]
) -> None:
    client.force_login(people[role])
    values = {
        "registration-slice": {"role": "t1", "kind": "edges"},
        "registration-of-image": {"role": "t1"},
        "patient-page": {"code": "P0001"},
        "slice-with-mask": {"mask_id": mask.pk},
    }
    if name in ("model-page", "model-trace", "run-page"):
        model = tried_model("tried", {"C0001": 0.5}, (("C0001",),))
        values[name] = {"pk": model.run.pk if name == "run-page" else model.pk}
    [address] = [address for address in every_address() if address.name == name]
    answer = client.get(address.of({**PLAIN, **values.get(name, {})}))
    assert answer.status_code == (200 if role in allowed else 403)


def test_a_verdict_by_the_form_is_recorded_and_a_forbidden_one_explained(
    client: Client, people: dict[Role, User], mask: CaseMask
) -> None:
    form = {"mask": mask.pk, "verdict": "approve", "quality_score": "excellent", "comment": ""}
    client.force_login(people[Role.RADIOLOGIST])
    refused = client.post(page_at("review-case", "C0001"), form)
    assert refused.status_code == 409
    assert "submitted by nobody" in refused.content.decode()
    accepted = client.post(page_at("review-case", "C0001"), {**form, "accepts_unannotated": "on"})
    assert accepted.status_code == 302
    assert Review.objects.get().mask == mask


@pytest.mark.parametrize(("number", "status"), [("abc", 400), ("1.5", 400), ("", 400), ("\0", 400), ("999", 404)])
def test_a_verdict_on_a_mask_that_is_none_is_refused(
    client: Client, people: dict[Role, User], mask: CaseMask, number: str, status: int
) -> None:
    client.force_login(people[Role.RADIOLOGIST])
    form = {"mask": number, "verdict": "approve", "quality_score": "excellent"}
    assert client.post(page_at("review-case", "C0001"), form).status_code == status
    assert Review.objects.count() == 0


def test_a_comment_is_escaped(client: Client, people: dict[Role, User], mask: CaseMask) -> None:
    Review.objects.create(
        mask=mask,
        reviewer=people[Role.RADIOLOGIST],
        verdict="return",
        quality_score="incorrect",
        comment='<img src=x onerror="alert(1)">',
    )
    client.force_login(people[Role.RADIOLOGIST])
    page = client.get(page_at("review-case", "C0001"))
    assert "<img src=x" not in page.content.decode()
    assert "default-src 'self'" in page["Content-Security-Policy"]


def test_a_picture_opens_by_its_capability_until_it_expires_or_is_revoked(client: Client, case: Case, settings) -> None:
    picture = case.slices.first()
    assert picture is not None
    address = reverse("capability-picture", args=[picture.token])
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.content.startswith(b"\x89PNG")
    assert answer["Access-Control-Allow-Origin"] == settings.LABEL_STUDIO_URL
    picture.expires = timezone.now() - timedelta(seconds=1)
    picture.save()
    assert client.get(address).status_code == 404
    picture.renew_token()
    picture.revoked = True
    picture.save()
    assert client.get(reverse("capability-picture", args=[picture.token])).status_code == 404
    assert client.get(address).status_code == 404


def test_addresses_are_unguessable_and_carry_no_case(case: Case) -> None:
    tokens = [picture.token for picture in case.slices.all()]
    assert len(set(tokens)) == len(tokens)
    assert all(len(token) >= 43 and case.code not in token for token in tokens)


@pytest.mark.parametrize(
    "header", ["", "Basic", "Bearer abc", "Basic " + "A" * 40, "Basic ü".encode().decode("latin-1")]
)
@pytest.mark.parametrize("name", ["ml-health", "ml-setup", "ml-predict", "ml-versions", "ml-webhook"])
def test_the_ml_backend_answers_nobody_without_its_password(client: Client, name: str, header: str) -> None:
    answer = client.post(reverse(name), data="{}", content_type="application/json", headers={"authorization": header})
    assert answer.status_code == 401


def _ask(client: Client, name: str, body: object) -> tuple[int, dict[str, object]]:
    content = body if isinstance(body, str) else json.dumps(body)
    headers = webhook_headers() if name == "ml-webhook" else {"authorization": basic_auth()}
    answer = client.post(reverse(name), data=content, content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


def test_health_answers_with_the_password(client: Client) -> None:
    answer = client.get(reverse("ml-health"), headers={"authorization": basic_auth()})
    assert answer.json()["status"] == "UP"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("not json", "request-malformed"),
        ("[" * 100_000, "request-malformed"),
        ([], "request-malformed"),
        ({}, "request-malformed"),
        ({"tasks": "all"}, "request-malformed"),
        ({"tasks": [{"id": 102}]}, "request-malformed"),
        ({"project": "1.5", "tasks": [{"id": "1"}]}, "request-malformed"),
        ({"project": "1.5", "tasks": [{"id": True}]}, "request-malformed"),
        ({"project": "1.5", "tasks": [{"id": 424242}]}, "task-unknown"),
        ({"project": "2.5", "tasks": [{"id": 102}]}, "task-unknown"),
        ({"project": "1.5", "tasks": [{"id": 102}], "params": {"context": {}}}, "request-malformed"),
        ({"project": "1.5", "tasks": [{"id": 102}], "params": {"context": {"result": "x"}}}, "request-malformed"),
    ],
)
def test_a_bad_prediction_request_gets_one_named_answer(
    client: Client, mask: CaseMask, body: object, code: str
) -> None:
    status, answer = _ask(client, "ml-predict", body)
    assert status == 400
    assert answer["code"] == code


def test_a_webhook_stores_the_save_and_an_unknown_task_is_named(client: Client, mask: CaseMask) -> None:
    task = mask.case.labeling_tasks.get(slice_index=3)
    status, answer = _ask(
        client, "ml-webhook", {"action": "ANNOTATION_CREATED", "annotation": save_body(task, identifier=9)}
    )
    assert (status, answer) == (200, {"received": "stored"})
    body = save_body(task, identifier=10, task=31337)
    assert _ask(client, "ml-webhook", {"action": "ANNOTATION_CREATED", "annotation": body})[1]["code"] == "task-unknown"
    assert Annotation.objects.filter(label_studio_id=10).count() == 0
