"""Accounts of an installation in use get their addresses; passwords and sessions go on."""

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse

from annotation_backend.accounts.models import User
from tests.annotation_backend.support.records import signed_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_everybody_gets_an_address_and_goes_on_as_before() -> None:
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    password = "the former passphrase"
    try:
        MigrationExecutor(connection).migrate([("accounts", "0004_is_administrator")])
        anna = User.objects.create_user("Anna@Hospital.org", "Anna@Hospital.org", password)
        User.objects.create_user("old@hospital.org", "OLD@hospital.org", is_active=False)
        User.objects.create_user("later@hospital.org", "\uff4fld@hospital.org")
        User.objects.create_user("nobody", "")
        browser = signed_in(anna)
    finally:
        MigrationExecutor(connection).migrate(newest)
    rows = EmailAddress.objects.order_by("pk").values_list("email", "user__username", "verified", "primary")
    assert set(rows) == {
        ("anna@hospital.org", "Anna@Hospital.org", True, True),
        ("old@hospital.org", "later@hospital.org", True, True),
    }
    assert browser.get(reverse("home")).status_code == 200, "signed in before, and still"
    browser.post(reverse("logout"))
    form = {"username": "anna@hospital.org", "password": password}
    assert browser.post(reverse("login"), form).status_code == 302
    cache.set("a count", 1)
    assert cache.get("a count") == 1
