"""Everybody's address as allauth keeps it, vouched for by who made the account; the table of the shared cache."""

import unicodedata
from typing import Any

from django.core.management import call_command
from django.db import migrations


def vouch_for_addresses(apps: Any, _editor: Any) -> None:
    """One row a person. Of two whose addresses are one in small plain letters, the active, then the older one has it."""
    addresses = apps.get_model("account", "EmailAddress").objects
    taken = set(addresses.values_list("email", flat=True))
    for person in apps.get_model("accounts", "User").objects.order_by("-is_active", "pk"):
        said = person.email or person.username
        email = unicodedata.normalize("NFKC", said.strip()).strip().lower()
        if "@" not in email or email in taken or addresses.filter(user_id=person.pk).exists():
            continue
        addresses.create(user_id=person.pk, email=email, verified=True, primary=True)
        taken.add(email)


def make_cache_table(_apps: Any, editor: Any) -> None:
    """In which allauth counts tries of codes, so that all processes count together; safe to run twice."""
    call_command("createcachetable", database=editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_is_administrator"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [
        migrations.RunPython(vouch_for_addresses, migrations.RunPython.noop),
        migrations.RunPython(make_cache_table, migrations.RunPython.noop),
    ]
