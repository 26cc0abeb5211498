"""The doctor: each link is broken on purpose, and named; links that do not depend on it are still tried."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import call_command

from annotation_backend import doctor
from annotation_backend.cases.models import Slice
from annotation_backend.doctor import alone, examine, pictures, services, settings_and_disk, studio_door
from annotation_backend.doctor.examination import Link, ask, try_links, wait_for
from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.studio.credentials import basic_auth, door_secret, ml_backend_url, webhook_headers
from annotation_backend.labeling.studio_door.tickets import opened
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.studies.models import Study
from datasets.errors import MaskloopError, RejectedInput, TryAgain
from tests.annotation_backend.support.records import registered_case, second_study
from tests.annotation_backend.support.segmenters import known_model

TOKEN = "0123456789abcdef" * 2 + "01234567"


def _fails(code: str) -> Callable[[], None]:
    def check() -> None:
        raise RejectedInput(code, "Expected one thing, got another.", remedy="Do something.")

    return check


def _code_of(check: Callable[[], None]) -> str:
    with pytest.raises(MaskloopError) as refused:
        check()
    assert refused.value.remedy
    return refused.value.code


def test_all_independent_failures_are_told_and_what_depends_on_them_is_not_tried() -> None:
    tried: list[str] = []
    links = [
        Link("a", _fails("broken-a")),
        Link("b", lambda: tried.append("b")),
        Link("c", lambda: tried.append("c"), ("a",)),
        Link("d", lambda: tried.append("d"), ("b", "c")),
        Link("e", _fails("broken-e"), ("b",)),
    ]
    lines: list[str] = []
    found = try_links(links, tell=lines.append)
    assert tried == found.good == ["b"]
    assert [failure.code for failure in found.failures] == ["broken-a", "broken-e"]
    assert found.not_tried == {"c": "a", "d": "c"}
    assert len(lines) == len(links)
    assert found.as_dict()["failed"] == "a"
    assert found.as_dict()["failures"][1]["remedy"] == "Do something."


def test_a_check_that_breaks_is_a_failure_and_no_traceback() -> None:
    def breaks() -> None:
        raise ZeroDivisionError("with words nobody should see")

    found = try_links([Link("a", breaks), Link("b", lambda: None)], tell=lambda _line: None)
    assert [failure.code for failure in found.failures] == ["unexpected"]
    assert "nobody" not in str(found.failures[0])
    assert found.good == ["b"]


def test_waiting_ends_with_the_reason_of_that_moment() -> None:
    with pytest.raises(TryAgain, match="late"):
        wait_for(lambda: False, seconds=0.01, otherwise=lambda: TryAgain("late", "It is late.", remedy="Wait."))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"MASKLOOP_URL": "127.0.0.1:8000"}, "address"),
        ({"MASKLOOP_URL": "http://127.0.0.1:8000/maskloop"}, "address"),
        ({"LABEL_STUDIO_URL": "ftp://127.0.0.1"}, "address"),
        ({"ML_BACKEND_URL": "10.1.2.3:8000"}, "address"),
        ({"LABEL_STUDIO_URL": "http://127.0.0.1:8000"}, "address-twice"),
        ({"LABEL_STUDIO_URL": "https://labels.hospital.org"}, "address-mixed"),
        ({"MASKLOOP_URL": "http://maskloop.hospital.org"}, "address-not-allowed"),
    ],
)
def test_addresses_that_cannot_work_are_named(settings, changes: dict[str, str], code: str) -> None:
    settings.MASKLOOP_URL, settings.LABEL_STUDIO_URL = "http://127.0.0.1:8000", "http://127.0.0.1:8080"
    settings.ALLOWED_HOSTS = ["127.0.0.1", ".clinic.org"]
    settings_and_disk.addresses()
    for name, value in changes.items():
        setattr(settings, name, value)
    assert _code_of(settings_and_disk.addresses) == code
    settings.MASKLOOP_URL, settings.LABEL_STUDIO_URL = "https://maskloop.clinic.org", "https://labels.clinic.org"
    settings.ML_BACKEND_URL = ""
    settings_and_disk.addresses()


def test_secrets_that_cannot_work_are_named(settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / ".env"
    own.write_text("")
    own.chmod(0o600)
    monkeypatch.setattr(settings_and_disk, "ENV_FILE", own)
    settings.LABEL_STUDIO_TOKEN = TOKEN
    settings_and_disk.secrets()
    own.chmod(0o640)
    assert _code_of(settings_and_disk.secrets) == "secrets-open"
    settings.ML_BACKEND_PASSWORD = TOKEN
    assert _code_of(settings_and_disk.secrets) == "secret-twice"
    settings.LABEL_STUDIO_TOKEN = "a-personal-token-" * 3
    assert _code_of(settings_and_disk.secrets) == "token-form"


def test_a_data_folder_that_cannot_work_is_named(settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA_FOLDER = tmp_path / "none"
    assert _code_of(settings_and_disk.data_folder) == "data-folder"
    settings.DATA_FOLDER.mkdir(mode=0o700)
    monkeypatch.setattr(settings_and_disk, "LEAST_FREE_BYTES", 1)
    settings_and_disk.data_folder()
    monkeypatch.setattr(settings_and_disk, "LEAST_FREE_BYTES", 10**18)
    assert _code_of(settings_and_disk.data_folder) == "disk-full"
    settings.DATA_FOLDER.chmod(0o755)
    assert _code_of(settings_and_disk.data_folder) == "data-folder-open"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_database_of_another_version_is_named() -> None:
    settings_and_disk.database()
    call_command("migrate", "labeling", "0002", verbosity=0)
    try:
        assert _code_of(settings_and_disk.database) == "migrations-missing"
    finally:
        call_command("migrate", verbosity=0)


Answer = tuple[int, dict[str, str], bytes]
Site = Callable[[BaseHTTPRequestHandler], Answer]


@contextmanager
def _serving(site: Site) -> Iterator[str]:
    """A real server on a free port that answers as `site` says."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = site(self)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_OPTIONS = _answer  # noqa: N815 (the names http.server calls)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_service_that_does_not_answer_or_answers_with_an_error_is_named(db, settings) -> None:
    with _serving(lambda _request: (500, {}, b"")) as url:
        settings.MASKLOOP_URL = settings.LABEL_STUDIO_URL = settings.ML_BACKEND_URL = url
        assert _code_of(services.web_service) == "web-down"
        assert _code_of(services.label_studio) == "label-studio-error"
    for check in (services.web_service, services.label_studio, services.ml_backend_password, services.webhook_header):
        assert _code_of(check) == "unreachable"
    with pytest.raises(TryAgain):
        ask("GET", url, who="It")


def _guarded(request: BaseHTTPRequestHandler) -> Answer:
    """Our service as it should be."""
    if request.path == "/ml/webhook":
        [(name, value)] = webhook_headers().items()
        is_ours = request.headers.get(name) == value
    else:
        is_ours = request.headers.get("Authorization") == basic_auth()
    return (200 if is_ours else 401), {}, b"{}"


@pytest.mark.parametrize(
    ("site", "backend", "webhook"),
    [
        (_guarded, None, None),
        (lambda _request: (200, {}, b"{}"), "ml-backend-open", "webhook-open"),
        (lambda _request: (401, {}, b"{}"), "ml-backend-refuses", "webhook-refuses"),
    ],
)
def test_a_wrong_header_must_be_refused_and_the_right_one_taken(
    db, settings, site: Site, backend: str | None, webhook: str | None
) -> None:
    with _serving(site) as url:
        settings.ML_BACKEND_URL = url
        for check, code in ((services.ml_backend_password, backend), (services.webhook_header, webhook)):
            if code is None:
                check()
            else:
                assert _code_of(check) == code


def _door(request: BaseHTTPRequestHandler) -> Answer:
    """A door as it should be: nobody comes in, and the doctor's ticket is used up."""
    place = urlsplit(request.path)
    if place.path != "/maskloop/enter":
        return 401, {}, b'{"code": "door-sign-in"}'
    assert opened(parse_qs(place.query)["ticket"][0], door_secret()).entry == "doctor"
    return 403, {}, b'{"code": "door-ticket-used"}'


def _answering(code: str) -> Site:
    return lambda request: _door(request) if "whoami" in request.path else (403, {}, f'{{"code": "{code}"}}'.encode())


@pytest.mark.parametrize(
    ("site", "code"),
    [
        (_door, None),
        (lambda _request: (401, {}, b'{"detail": "Authentication credentials were not provided."}'), "door-open"),
        (lambda _request: (200, {}, b"<html>"), "door-open"),
        (_answering("door-silent"), "door-silent"),
        (_answering("door-ticket"), "door-secret"),
    ],
)
def test_label_studios_door_must_stand_know_us_and_reach_us(db, settings, site: Site, code: str | None) -> None:
    with _serving(site) as url:
        settings.LABEL_STUDIO_URL = url
        if code is None:
            studio_door.door()
        else:
            assert _code_of(studio_door.door) == code


def _hook(**changes: Any) -> dict[str, Any]:
    whole = {"url": f"{ml_backend_url()}/webhook", "is_active": True, "send_for_all_actions": True}
    return {**whole, "send_payload": True, "headers": webhook_headers(), **changes}


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], "webhook-missing"),
        ([{"url": "http://elsewhere/webhook"}], "webhook-missing"),
        ([{"is_active": False}], "webhook-off"),
        ([{"send_for_all_actions": False}], "webhook-partial"),
        ([{"send_payload": False}], "webhook-empty"),
        ([{"headers": {}}], "webhook-header"),
        ([{"headers": {"Authorization": "Basic old"}}], "webhook-header"),
        ([{}], None),
    ],
)
def test_the_webhook_in_label_studio_must_be_ours_active_and_whole(
    db, monkeypatch: pytest.MonkeyPatch, found: list[dict[str, Any]], code: str | None
) -> None:
    monkeypatch.setattr(services, "call", lambda *_args, **_options: [_hook(**changes) for changes in found])
    project = LabelingProject(label_studio_id=1)
    if code is None:
        services.webhook_in_label_studio(project)
    else:
        assert _code_of(lambda: services.webhook_in_label_studio(project)) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"url": "http://elsewhere/ml"}, "ml-backend-missing"),
        ({"is_interactive": False}, "ml-backend-silent"),
        ({"state": "DI"}, "ml-backend-unreached"),
        ({"state": "ER"}, "ml-backend-unreached"),
        ({}, None),
    ],
)
def test_the_ml_backend_in_label_studio_must_be_ours_asked_and_reached(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], code: str | None
) -> None:
    there = {"url": ml_backend_url() + "/", "is_interactive": True, "state": "CO", **changes}
    monkeypatch.setattr(services, "call", lambda *_args, **_options: [there])
    project = LabelingProject(label_studio_id=1)
    if code is None:
        services.ml_backend_in_label_studio(project)
    else:
        assert _code_of(lambda: services.ml_backend_in_label_studio(project)) == code


@pytest.mark.django_db
def test_without_a_promoted_model_the_models_are_named() -> None:
    assert _code_of(services.models) == "no-serving-model"


@pytest.fixture
def picture(db) -> Slice:
    made = registered_case().slices.first()
    assert made is not None
    return made


def _behind_a_proxy(picture: Slice, *, allows: str | None = "ours", options: int = 204, gate: int = 200) -> Site:
    """Our pictures as a proxy lets them through."""

    def site(request: BaseHTTPRequestHandler) -> Answer:
        from django.conf import settings

        headers = {} if allows is None else {"Access-Control-Allow-Origin": allows}
        if allows == "ours":
            headers = {"Access-Control-Allow-Origin": settings.LABEL_STUDIO_URL}
        if request.command == "OPTIONS":
            return options, headers, b""
        if picture.token not in request.path and gate == 200:
            return 404, headers, b""
        return gate, headers, picture.path.read_bytes() if gate == 200 else b"sign in"

    return site


@pytest.mark.parametrize(
    ("proxy", "address", "browser"),
    [
        ({}, None, None),
        ({"allows": "*"}, None, None),
        ({"allows": None}, None, "picture-cors"),
        ({"allows": "http://elsewhere"}, None, "picture-cors"),
        ({"options": 405}, None, "picture-preflight"),
        ({"gate": 302}, "picture-closed", None),
        ({"gate": 401}, "picture-closed", None),
    ],
)
def test_what_a_proxy_does_to_the_pictures_is_named(
    settings, picture: Slice, proxy: dict[str, Any], address: str | None, browser: str | None
) -> None:
    with _serving(_behind_a_proxy(picture, **proxy)) as url:
        settings.MASKLOOP_URL = url
        for check, code in ((pictures.picture_address, address), (pictures.picture_in_browser, browser)):
            if code is None:
                check(picture)
            else:
                assert _code_of(lambda check=check: check(picture)) == code  # type: ignore[misc]


def test_a_proxy_that_shows_a_page_for_every_address_is_named(settings, picture: Slice) -> None:
    with _serving(lambda _request: (200, {}, picture.path.read_bytes())) as url:
        settings.MASKLOOP_URL = url
        assert _code_of(lambda: pictures.picture_address(picture)) == "picture-open"


@pytest.mark.parametrize(("method", "status"), [("get", 200), ("options", 204)])
def test_our_own_pictures_pass_as_a_browser_asks(client, settings, picture: Slice, method: str, status: int) -> None:
    asked = {"origin": settings.LABEL_STUDIO_URL, "access-control-request-method": "GET"}
    answer = getattr(client, method)(f"/pictures/{picture.token}.png", headers=asked)
    assert answer.status_code == status
    assert answer["Access-Control-Allow-Origin"] == settings.LABEL_STUDIO_URL


def test_a_second_doctor_is_told_that_one_is_at_work(settings, tmp_path: Path) -> None:
    settings.DATA_FOLDER = tmp_path
    with alone():
        assert _code_of(lambda: examine(tell=lambda _line: None)) == "doctor-busy"
    with alone():
        pass


@pytest.mark.django_db
def test_each_study_is_rehearsed_in_turn_or_the_one_that_is_named(tmp_path: Path, study: Study) -> None:
    def names(of: str | None) -> list[str]:
        return [link.name for link in doctor.rehearsals(tmp_path, of)]

    alone_there = names(None)
    assert alone_there[0] == "ingest"
    second_study()
    assert names("second") == alone_there
    assert names(None) == [f"{name}: {link}" for name in (study.name, "second") for link in alone_there]
    needs = {link.name: link.needs for link in doctor.rehearsals(tmp_path, None)}
    assert needs["second: publication"] == ("second: pictures", "Label Studio's token")
    with pytest.raises(RejectedInput, match="study-unknown"):
        names("third")


@pytest.mark.django_db
def test_a_study_that_no_registered_model_fits_is_not_broken(study: Study) -> None:
    assert _code_of(lambda: services.expected_model(study, PromptKind.BOX, None)) == "no-serving-model"
    Model.objects.filter(pk=known_model("of-ct").pk).update(images=["ct"])
    assert services.expected_model(study, PromptKind.BOX, None) is None
    fitting = known_model("of-any")
    assert _code_of(lambda: services.expected_model(study, PromptKind.BOX, None)) == "no-serving-model"
    Promotion.objects.create(model=fitting, study=study, prompt_kind=PromptKind.BOX, label="Tumour")
    assert services.expected_model(study, PromptKind.BOX, None) == fitting


def test_a_doctor_without_a_data_folder_still_examines(settings, tmp_path: Path) -> None:
    settings.DATA_FOLDER = tmp_path / "none"
    with alone():
        assert _code_of(settings_and_disk.data_folder) == "data-folder"
