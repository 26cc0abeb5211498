"""Nothing of another study can be seen, counted, guessed or changed, by no address, whoever asks."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.sessions.models import Session
from django.forms.models import model_to_dict
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.pages.former import PLACES
from annotation_backend.studies.people import give_role
from tests.annotation_backend.studies.world import Asking, Filled, content_of, filled
from tests.annotation_backend.support.addresses import every_address
from tests.annotation_backend.support.records import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("studio_up")]

PAGES = [address for address in every_address() if address.is_of_a_study]
FORMER = sorted({address.name for address in every_address() if address.is_former})
NAMING = {"code", "pk", "mask_id"}
"""Values of an address that say which thing of a study is meant."""

FORM = {
    "action": "exclude", "reason": "x", "verdict": "approve", "quality_score": "excellent", "comment": "x",
    "accepts_unannotated": "on", "mask_format": "bitmask", "t2": "x", "back": "/",
}  # fmt: skip


@pytest.fixture
def two(tmp_path: Path, settings: Any) -> tuple[Filled, Filled]:
    """Two studies with one of everything each."""
    settings.DATA_FOLDER = tmp_path / "data"
    return filled("alphaword", tmp_path / "a", number=2), filled("omegaword", tmp_path / "o", number=3)


@pytest.fixture
def everybody(two: tuple[Filled, Filled]) -> dict[str, User | None]:
    """Nobody, everybody of each study, somebody with different roles in both, and the administrator."""
    one, other = two
    mixed = User.objects.create_user("mixed@hospital.org")
    give_role(one.study, mixed, Role.ANNOTATOR)
    give_role(other.study, mixed, Role.DATA_MANAGER)
    people: dict[str, User | None] = {"nobody": None, "mixed": mixed}
    people["stranger"] = User.objects.create_user("stranger@hospital.org")
    people["administrator"] = User.objects.create_user("admin@hospital.org", is_administrator=True)
    people |= {f"{role} of {each.study}": person for each in two for role, person in each.people.items()}
    for person in people.values():  # each with an account in Label Studio, so that nothing is asked of it
        if person is not None:
            person.label_studio_id = person.pk + 10_000
            person.save(update_fields=["label_studio_id"])
    return people


@pytest.fixture
def asks() -> Asking:
    """Everybody's browser."""
    return Asking()


def _is_in(study: Filled, person: User | None) -> bool:
    return person is not None and (person.is_administrator or person.memberships.filter(study=study.study).exists())


def _both_ways(two: tuple[Filled, Filled]) -> Iterator[tuple[Filled, Filled]]:
    yield from (two, two[::-1])


def test_every_page_of_a_study_asks_first_whether_the_study_is_there_for_the_person() -> None:
    assert len(PAGES) > 25
    assert [page.name for page in PAGES if not getattr(page.pattern.callback, "is_of_a_study", False)] == []
    others = [address for address in every_address() if not address.is_of_a_study and not address.is_former]
    outside = {address.name for address in others if not str(address.pattern.pattern).startswith("accounts/")}
    assert outside == {
        "home", "landing", "alive", "guide", "capability-picture",
        "ml-health", "ml-setup", "ml-predict", "ml-versions", "ml-webhook",
        "studio", "studio-entries", "studio-permits",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_who_comes_in_where(
    asks: Asking, two: tuple[Filled, Filled], everybody: dict[str, User | None], method: str
) -> None:
    """Each address below each study, naming things of either: 0 leaks."""
    wrong = []
    nowhere = {who: content_of(asks(person, "GET", "/studies/no-such/")) for who, person in everybody.items()}
    for (who, person), page, (place, things) in product(everybody.items(), PAGES, _both_ways(two)):
        address = things.address(page, below=place.study)
        body = content_of(asks(person, method, address))
        status = int(body[:3])
        if person is None:
            fits = status == 302 and b"/accounts/login/" in body
        elif not _is_in(place, person):
            fits = status == 404 and (method == "HEAD" or body == nowhere[who])
        elif NAMING & set(page.wanted):
            fits = status in (403, 404, 405)
        else:
            fits = status < 500
        if not fits or (person is not None and things.word.search(body)):
            wrong.append((who, method, address, status))
    assert wrong == []


@pytest.mark.slow
def test_a_page_of_a_study_names_no_other_whoever_reads_it(
    asks: Asking, two: tuple[Filled, Filled], everybody: dict[str, User | None]
) -> None:
    """Also for people of both: what is of one study stands on its own pages and on the first page alone."""
    wrong, seen = [], set()
    for (who, person), page, (place, other) in product(everybody.items(), PAGES, _both_ways(two)):
        body = content_of(asks(person, "GET", place.address(page)))
        if other.word.search(body):
            wrong.append((who, page.name))
        if body[:3] == b"200":
            seen.add(page.name)
    assert wrong == []
    posted = {"restore-version", "finding-seen", "finding-drawer", "change-seen", "review-comment", "review-correct"}
    posted |= {"model-back", "model-promote", "model-retraining"}
    posted |= {"next-slice", "next-case", "own-piece", "activity"}
    seen |= {"review-next", "studio-of-study", "studio-of-slice"}  # they only lead on
    of_a_reading = {"adjudication-picture", "own-control-picture"}  # tests/annotation_backend/readers has some
    assert {page.name for page in PAGES} - seen - posted <= {"case-thumbnail", "case-checkerboard", *of_a_reading}


def test_the_first_page_names_ones_own_studies(
    asks: Asking, two: tuple[Filled, Filled], everybody: dict[str, User | None]
) -> None:
    for (who, person), each in product(everybody.items(), two):
        body = content_of(asks(person, "GET", "/"))
        assert bool(each.word.search(body)) == _is_in(each, person), (who, each.study)


@pytest.mark.slow
def test_what_another_study_gets_changes_no_byte_of_ones_own_pages(asks: Asking, tmp_path: Path, settings: Any) -> None:
    """So nothing can be counted, neither by lists nor by numbers, pages or headers."""
    settings.DATA_FOLDER = tmp_path / "data"
    one = filled("alphaword", tmp_path / "a", number=2)
    before = _all_that_they_see(asks, one)
    filled("omegaword", tmp_path / "o", number=3)
    assert _all_that_they_see(asks, one) == before


def _all_that_they_see(asks: Asking, one: Filled) -> dict[tuple[str, str], bytes]:
    """All but what is not the same the second time: what tells of their own looks, and tickets that are used once."""
    never_the_same = {"audit-log", "audit-csv", "active-time-csv", "dashboard", "studio-of-study", "studio-of-slice"}
    addresses = ["/", *(one.address(page) for page in PAGES if page.name not in never_the_same)]
    return {
        (role, address): content_of(asks(person, "GET", address))
        for role, person in one.people.items()
        for address in addresses
        if "protocol.toml" not in address or role == Role.DATA_MANAGER
    }


@pytest.mark.slow
def test_no_form_changes_anything_of_another_study(
    asks: Asking, two: tuple[Filled, Filled], everybody: dict[str, User | None]
) -> None:
    before = _all_rows()
    for (_, person), page, (place, things) in product(everybody.items(), PAGES, _both_ways(two)):
        if person is None or (_is_in(place, person) and not NAMING & set(page.wanted)):
            continue
        newest = {"newest": "1", "person": str(person.pk), "mask": str(things.values["mask_id"])}
        form = {"data": urlencode({**FORM, **newest}), "content_type": "application/x-www-form-urlencoded"}
        asks(person, "POST", things.address(page, below=place.study), **form)
        if not _is_in(things, person):
            asks(person, "POST", things.address(page), **form)
    assert _all_rows() == before


def _all_rows() -> list[tuple[str, str]]:
    models = [model for model in apps.get_models() if model not in (Session, UserSession)]
    rows = [(model.__name__, row) for model in models for row in model.objects.order_by("pk")]
    return [(name, repr({**model_to_dict(row), "last_login": None})) for name, row in rows]


@pytest.mark.parametrize("name", ["slice-picture", "slice-with-mask", "comparison-picture", "registration-slice"])
def test_a_known_tag_of_another_studys_picture_opens_nothing(
    asks: Asking, two: tuple[Filled, Filled], name: str
) -> None:
    one, other = two
    [page] = [page for page in PAGES if page.name == name]
    own, foreign = other.people[Role.RADIOLOGIST], one.people[Role.RADIOLOGIST]
    tag = asks(own, "GET", other.address(page)).headers["ETag"]
    assert asks(own, "GET", other.address(page), headers={"if-none-match": tag}).status_code == 304
    for address in (other.address(page), other.address(page, below=one.study)):
        assert asks(foreign, "GET", address, headers={"if-none-match": tag}).status_code == 404


@pytest.mark.parametrize("name", ["release-download", "release-part", "release-patch"])
def test_no_part_of_another_studys_release_is_sent(asks: Asking, two: tuple[Filled, Filled], name: str) -> None:
    one, other = two
    [page] = [page for page in PAGES if page.name == name]
    own, foreign = other.people[Role.RADIOLOGIST], one.people[Role.RADIOLOGIST]
    tag = asks(own, "HEAD", other.address(page)).headers["ETag"]
    part = {"range": "bytes=0-3", "if-range": tag}
    assert asks(own, "GET", other.address(page), headers=part).status_code == 206
    for address, method in product((other.address(page), other.address(page, below=one.study)), ("GET", "HEAD")):
        for headers in (part, {}, {"range": "bytes=99999999999-"}):
            assert asks(foreign, method, address, headers=headers).status_code == 404


@pytest.mark.slow
def test_former_addresses_lead_to_the_study_of_what_they_name_and_nowhere_else(
    asks: Asking, two: tuple[Filled, Filled], everybody: dict[str, User | None]
) -> None:
    first = {page: two[0].address(page).removeprefix(f"/studies/{two[0].study}/").partition("/")[0] for page in PAGES}
    named = [page for page in PAGES if NAMING & set(page.wanted) and first[page] in PLACES]
    assert len(named) > 15
    for (who, person), page, each in product(everybody.items(), named, two):
        now = each.address(page)
        answer = asks(person, "GET", now.removeprefix(f"/studies/{each.study}") + "?slice=3")
        if person is None:
            assert answer.headers["Location"].startswith("/accounts/login/")
        elif _is_in(each, person):
            assert (answer.status_code, answer.headers["Location"]) == (301, f"{now}?slice=3"), (who, now)
        else:
            assert content_of(answer) == content_of(asks(person, "GET", "/cases/no-such/")), (who, now)
            assert answer.status_code == 404


def test_former_addresses_that_name_nothing_lead_to_ones_only_study_or_to_the_first_page(
    asks: Asking, two: tuple[Filled, Filled], everybody: dict[str, User | None]
) -> None:
    one, _ = two
    for address in ("/cases/", "/review/", "/findings/", "/releases/", "/settings/", "/models/", "/cases/report/"):
        own = signed_in(one.people[Role.DATA_MANAGER])
        assert own.get(address).headers["Location"] == f"/studies/{one.study}{address}"
        assert own.get(address).status_code == 302
        for who in ("mixed", "administrator", "stranger"):
            assert asks(everybody[who], "GET", address).headers["Location"] == "/"


def test_a_form_that_was_loaded_before_keeps_its_method_on_the_way(two: tuple[Filled, Filled]) -> None:
    one, _ = two
    reader: Client = signed_in(one.people[Role.DATA_MANAGER])
    answer = reader.post(f"/findings/{one.values['finding-seen']['pk']}/seen")
    assert answer.status_code == 308
    assert reader.post(answer.headers["Location"]).status_code == 302


@pytest.mark.parametrize(
    "rest", ["cases/C0001/nothing/", "cases/%00/", "review/masks/9/t2/x.png", "models/x/", "cases/../"]
)
def test_former_addresses_of_no_page_are_not_there(asks: Asking, two: tuple[Filled, Filled], rest: str) -> None:
    assert asks(two[0].people[Role.DATA_MANAGER], "GET", f"/{rest}").status_code == 404


def test_former_addresses_have_their_names() -> None:
    assert [f"former-{place}" for place in ("cases", "findings", "models", "releases", "review", "settings")] == FORMER
