"""The menu: what it offers opens for whom it is offered, and nothing else is offered; the page at hand is marked."""

import re

import pytest
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.studies.templatetags.menu import MENU
from tests.annotation_backend.support.addresses import every_address, page_at
from tests.annotation_backend.support.records import signed_in

pytestmark = pytest.mark.django_db

PAGES = [page for pages in MENU.values() for page in pages]


def _header(client: Client, name: str) -> str:
    return client.get(page_at(name)).content.decode().partition("<header>")[2].partition("</header>")[0]


def _links(client: Client, name: str) -> list[str]:
    return re.findall(r'<a href="([^"]+)"', _header(client, name))


@pytest.mark.parametrize("role", list(Role))
def test_what_is_offered_opens_and_the_rest_does_not(people: dict[Role, User], role: Role) -> None:
    client = signed_in(people[role])
    for page in PAGES:
        status = client.get(page_at(page.name)).status_code
        if page.name == "studio-of-study":  # its project is not there yet
            continue
        assert status == (200 if role in page.roles else 403), page.name
        if role in page.roles:
            assert page_at(page.name) in _links(client, page.name)


def test_each_page_is_marked_where_one_is(people: dict[Role, User]) -> None:
    client = signed_in(people[Role.ADMINISTRATOR])
    for group, pages in MENU.items():
        for page in pages:
            if page.name == "studio-of-study":
                continue
            shown = _header(client, page.name)
            assert re.findall(r'<a href="[^"]+" aria-current="page">([^<]+)</a>', shown) == [page.title]
            assert re.search(rf'<a href="[^"]+" aria-current="true">{group}</a>', shown)


def test_the_menu_names_pages_that_there_are() -> None:
    known = {address.name for address in every_address()}
    assert {name for page in PAGES for name in (page.name, *page.below)} <= known
