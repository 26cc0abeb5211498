"""A person's role becomes one in the study that was there; administrators stay what they are, and back again."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import email_of
from annotation_backend.studies.people import role_in
from tests.annotation_backend.support.records import accounts, the_study

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_everybody_keeps_their_role_forwards_and_backwards() -> None:
    people = accounts()
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    before = ("accounts", "0003_draws_since")
    try:
        MigrationExecutor(connection).migrate([before])
        former = MigrationExecutor(connection).loader.project_state([before]).apps.get_model("accounts", "User")
        assert dict(former.objects.values_list("username", "role")) == {email_of(role): role for role in Role}
    finally:
        MigrationExecutor(connection).migrate(newest)
    assert User.objects.get(is_administrator=True) == people[Role.ADMINISTRATOR]
    assert {role_in(the_study(), person): person for person in User.objects.all()} == people
