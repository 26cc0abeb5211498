"""Everybody who has an account already gets their role in the first study."""

from typing import Any

from django.db import migrations

from annotation_backend.studies.first_study import first_study


def make(apps: Any, _editor: Any) -> None:
    """An installation with accounts has had one study all along; a fresh one has none yet."""
    if apps.get_model("accounts", "User").objects.exists():
        first_study(apps)


class Migration(migrations.Migration):
    dependencies = [
        ("studies", "0001_initial"),
    ]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
