"""Attacks on the pages that failed and must go on failing: other sites' requests, sessions, odd addresses."""

import importlib.util
import logging
import os
from types import ModuleType
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotation_backend.accounts.models import Role, User
from annotation_backend.environment import ROOT, SECRETS
from annotation_backend.labeling.models import Annotation, CaseMask, LabelingTask
from annotation_backend.labeling.studio.credentials import SECRET_HEADER, basic_auth, webhook_headers
from annotation_backend.review.models import Review
from tests.annotation_backend.support.addresses import Address, address_of, every_address, page_at
from tests.annotation_backend.support.records import VERDICT, new_person, registered_case, save_body, saved, signed_in

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

EMAIL = "anna@hospital.org"
HERE = "/studies/mstt-199"
MARKUP = "<script>alert(1)</script>"
PASSWORD_INSTEAD_OF_TOKEN = {
    *("ml-health", "ml-setup", "ml-predict", "ml-versions", "ml-webhook", "studio-entries", "studio-permits"),
}


def _sign_in(client: Client, **fields: str) -> Any:
    password = new_person(EMAIL, Role.ANNOTATOR)[1]
    return client.post(reverse("login"), {"username": EMAIL, "password": password, **fields})


def _settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> ModuleType:
    """The settings as they would be read in another environment."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.find_spec("annotation_backend.settings")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    return module


@pytest.mark.parametrize("pattern", every_address(), ids=lambda pattern: pattern.name)
def test_nothing_is_changed_from_another_site(people: dict[Role, User], mask: CaseMask, pattern: Address) -> None:
    """A post without the form's token, whoever is signed in; Label Studio's addresses ask for its password instead."""
    wanted = 401 if pattern.name in PASSWORD_INSTEAD_OF_TOKEN else 403
    clients = [signed_in(person, enforce_csrf_checks=True) for person in people.values()]
    clients.append(Client(enforce_csrf_checks=True))
    assert {client.post(address_of(pattern), {"x": "y"}).status_code for client in clients} == {wanted}


def test_a_script_of_label_studios_origin_posts_nothing_with_the_persons_own_token(people: dict[Role, User]) -> None:
    registered_case()
    client = signed_in(people[Role.DATA_MANAGER], enforce_csrf_checks=True)
    address = page_at("registration-page", "C0001")
    client.get(address)
    form = {"action": "exclude", "reason": "x", "csrfmiddlewaretoken": client.cookies["maskloop_csrf"].value}
    for origin in ("http://127.0.0.1:8080", "http://localhost:8080", "null", "http://testserver.evil.example"):
        assert client.post(address, form, headers={"origin": origin}).status_code == 403
    assert client.post(address, form, headers={"origin": "http://testserver"}).status_code == 302


@pytest.mark.parametrize("token", ["x", "A" * 43, "\0", "a" * 4000, "..%2f..%2f.env", "é"])
def test_a_made_up_picture_address_opens_nothing_and_only_label_studio_may_ask(
    client: Client, settings: Any, token: str
) -> None:
    address = reverse("capability-picture", args=[token])
    for asking in ("http://evil.example", settings.LABEL_STUDIO_URL, "null"):
        answer = client.get(address, headers={"origin": asking})
        assert answer.status_code == 404
        assert answer["Access-Control-Allow-Origin"] == settings.LABEL_STUDIO_URL


def test_a_renewed_address_opens_the_picture_and_the_one_before_no_more(client: Client, mask: CaseMask) -> None:
    picture = mask.case.slices.get(role="t2", index=2)
    before = reverse("capability-picture", args=[picture.token])
    assert client.get(before).status_code == 200
    picture.renew_token()
    picture.save()
    assert client.get(before).status_code == 404
    assert client.get(reverse("capability-picture", args=[picture.token])).status_code == 200


@pytest.mark.parametrize("value", ["", "wrong", "0" * 64, "é".encode().decode("latin-1")])
def test_a_webhook_with_a_wrong_header_is_refused(client: Client, mask: CaseMask, value: str) -> None:
    task = LabelingTask.objects.get(slice_index=3)
    body = {"action": "ANNOTATION_CREATED", "annotation": save_body(task, identifier=9)}
    answer = client.post(reverse("ml-webhook"), body, content_type="application/json", headers={SECRET_HEADER: value})
    assert answer.status_code == 401
    assert Annotation.objects.count() == 1


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "///evil.example", "javascript:alert(1)",
     "\thttps://evil.example", "http:evil.example", "http://testserver@evil.example/", "https:/\\evil.example",
     "\0//x"],
)  # fmt: skip
def test_signing_in_leads_to_no_other_site(client: Client, target: str) -> None:
    assert _sign_in(client, next=target)["Location"] == reverse("landing")


def test_signing_in_leads_to_the_page_that_was_asked_for(client: Client) -> None:
    assert _sign_in(client, next=f"{HERE}/cases/")["Location"] == f"{HERE}/cases/"


def test_another_host_is_refused_and_what_is_said_to_be_forwarded_is_not_believed(radiologist: Client) -> None:
    for host in ("evil.example", "testserver.evil.example", "testserver@evil.example", "a b"):
        assert radiologist.get(f"{HERE}/cases/", headers={"host": host}).status_code == 400
    forwarded = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "x-forwarded-port": "99"}
    answer = Client().get(f"{HERE}/cases/", headers=forwarded)
    assert answer["Location"] == f"/accounts/login/?next={HERE}/cases/"
    assert "evil.example" not in radiologist.get(f"{HERE}/cases/", headers=forwarded).content.decode()


@pytest.mark.parametrize("address", ["/", "/accounts/login/", "/guide/", "/alive", "/nowhere", "/cases/C0001/",
                                     f"{HERE}/", f"{HERE}/cases/C0001/", f"{HERE}/review/",
                                     f"{HERE}/cases/C0001/t2/2.png", f"{HERE}/settings/"])  # fmt: skip
def test_every_answer_keeps_other_sites_out(radiologist: Client, mask: CaseMask, address: str) -> None:
    answer = radiologist.get(address)
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert (answer["X-Frame-Options"], answer["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert (answer["Referrer-Policy"], answer["Cross-Origin-Opener-Policy"]) == ("same-origin", "same-origin")


def test_the_sessions_cookie_is_for_no_script_and_no_other_site(client: Client, settings: Any) -> None:
    _sign_in(client)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 14 * 24 * 3600)


@pytest.mark.parametrize(("address", "is_secure"), [("https://x.org", True), ("http://127.0.0.1:8000", False)])
def test_behind_https_cookies_go_over_https_only(
    monkeypatch: pytest.MonkeyPatch, address: str, is_secure: bool
) -> None:
    read = _settings(monkeypatch, MASKLOOP_URL=address)
    assert read.SESSION_COOKIE_SECURE is read.CSRF_COOKIE_SECURE is is_secure
    assert read.DEBUG is False


def test_a_planted_session_is_renewed_and_one_that_was_signed_out_is_dead(client: Client, settings: Any) -> None:
    name, planted = settings.SESSION_COOKIE_NAME, "a" * 32
    client.cookies[name] = planted
    _sign_in(client)
    kept = client.cookies[name].value
    assert kept != planted
    assert client.get(f"{HERE}/cases/").status_code == 200
    assert client.post(reverse("logout")).status_code == 302
    thief = Client()
    thief.cookies[name] = kept
    assert thief.get(f"{HERE}/cases/")["Location"].startswith("/accounts/login/")


NOWHERE = [
    "/pictures/..%2f..%2f.env.png", "/pictures/../../.env.png", "/pictures/%00.png", "/static/../settings.py",
    "/static/%2e%2e/settings.py", "/static/maskloop/..%2f..%2fsettings.py", f"{HERE}/cases/C0001/..%2f/9.png",
    f"{HERE}/cases/C0001/thumbnails/..%2ft1.png", f"{HERE}/cases/C0001/t2/99999999999999999999999.png",
    f"{HERE}/cases/C0001/t2/-1.png", f"{HERE}/cases/C0001/t2/٣.png", f"{HERE}/cases/C0001/t2/２.png",
    f"{HERE}/cases/C0001/registration/t1/999999999999999999999.png",
    f"{HERE}/cases/C0001/slices/99999999999999999999/versions/", f"{HERE}/cases/C0001/slices/٢/versions/",
    f"{HERE}/releases/٣/", f"{HERE}/releases/99999999999999999999999/", f"{HERE}/releases/0/download",
    f"{HERE}/review/masks/99999999999999999999999/t2/1.png", f"{HERE}/review/masks/-1/t2/1.png", f"{HERE}/cases/%00/",
    f"{HERE}/cases/{'a' * 5000}/", f"{HERE}/findings/99999999999999999999999/seen",
]  # fmt: skip


@pytest.mark.parametrize("address", NOWHERE, ids=lambda address: address[:60])
def test_paths_that_climb_and_numbers_that_are_none_lead_nowhere(
    radiologist: Client, mask: CaseMask, address: str
) -> None:
    answer = radiologist.post(address) if address.endswith("/seen") else radiologist.get(address)
    assert answer.status_code == 404
    assert not [word for word in ("Traceback", str(ROOT), "site-packages", "urlpatterns") if word in _text(answer)]


TAKE_HEAD = ("capability-picture", "release-download", "release-part", "release-patch")


@pytest.mark.parametrize("method", ["TRACE", "BREW", "PUT", "DELETE", "PATCH", "HEAD"])
def test_no_strange_method_does_anything_or_is_sent_back(people: dict[Role, User], mask: CaseMask, method: str) -> None:
    client = signed_in(people[Role.ADMINISTRATOR], enforce_csrf_checks=True, headers={"x-mine": "sent-by-me"})
    for pattern in every_address():
        answer = client.generic(method, address_of(pattern), b"sent-by-me", "text/plain")
        takes_head = pattern.name in TAKE_HEAD or pattern.is_former
        takes_head |= address_of(pattern).startswith("/accounts/")
        wanted = {200, 301, 302, 401, 404, 405} if method == "HEAD" and takes_head else {401, 403, 405}
        assert answer.status_code in wanted, pattern.name
        assert b"sent-by-me" not in answer.content


@pytest.mark.parametrize("address", [f"{HERE}/cases/", f"{HERE}/cases/C0001/", f"{HERE}/review/",
                                     f"{HERE}/review/C0001/", f"{HERE}/cases/report/", f"{HERE}/findings/",
                                     f"{HERE}/cases/C0001/slices/2/versions/"])  # fmt: skip
def test_markup_that_came_with_names_sites_and_saves_is_not_shown(
    radiologist: Client, mask: CaseMask, address: str
) -> None:
    mask.case.anatomical_site = MARKUP
    mask.case.save()
    mask.case.series.update(evidence={"reasons": [MARKUP], "description": MARKUP})
    task = LabelingTask.objects.get(slice_index=2)
    saved(task, updated_at="2026-11-21T11:00:00Z", created_username=MARKUP, meta={"text": MARKUP})
    answer = radiologist.get(address)
    assert answer.status_code == 200
    assert MARKUP not in _text(answer)


@pytest.mark.parametrize(
    "changes",
    [{"comment": "\0"}, {"comment": "a" * 5000}, {"quality_score": "splendid"}, {"quality_score": "\0"},
     {"verdict": "perhaps"}, {"mask": "99999999999"}, {"mask": "-1"}, {"mask": "x"}, {"seen": "a" * 65}],
)  # fmt: skip
def test_a_verdict_with_absurd_words_is_no_verdict(
    radiologist: Client, mask: CaseMask, changes: dict[str, str]
) -> None:
    answer = radiologist.post(page_at("review-case", "C0001"), {**VERDICT, "mask": mask.pk, **changes})
    assert answer.status_code == 400
    assert Review.objects.count() == 0


def test_a_verdict_on_another_cases_mask_is_none(radiologist: Client, mask: CaseMask) -> None:
    registered_case("C0002")
    assert radiologist.post(page_at("review-case", "C0002"), {**VERDICT, "mask": mask.pk}).status_code == 404
    assert Review.objects.count() == 0


def test_no_secret_and_no_picture_address_that_opens_is_in_the_log(
    radiologist: Client, mask: CaseMask, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    picture = mask.case.slices.get(role="t2", index=2)
    address = reverse("capability-picture", args=[picture.token])
    with caplog.at_level(logging.DEBUG):
        radiologist.get(reverse("ml-health"), headers={"authorization": basic_auth()})
        radiologist.post(reverse("ml-webhook"), "{", "application/json", headers=webhook_headers())
        assert radiologist.get(address).status_code == 200
        assert Client(enforce_csrf_checks=True).post(address).status_code == 403
        assert radiologist.delete(address).status_code == 405
        picture.path.write_bytes(b"damaged")
        assert radiologist.get(address).status_code == 409
    secrets = [os.environ[name] for name in SECRETS] + [basic_auth().split()[1], *webhook_headers().values()]
    secrets += [picture.token, radiologist.cookies[settings.SESSION_COOKIE_NAME].value]
    assert len(caplog.records) > 2
    assert [number for number, secret in enumerate(secrets) if secret in caplog.text] == []


def _text(answer: Any) -> str:
    return str(answer.content.decode())
