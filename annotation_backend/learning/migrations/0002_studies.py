"""What was there belongs to the first study."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def give(apps: Any, _editor: Any) -> None:
    """Gives every row to the first study."""
    first = apps.get_model("studies", "Study").objects.filter(is_first=True).first()
    for name in ("Snapshot",):
        apps.get_model("learning", name).objects.update(study=first)


class Migration(migrations.Migration):
    dependencies = [
        ("studies", "0002_first_study"),
        ("learning", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="snapshot",
            name="study",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="snapshots", to="studies.study"
            ),
        ),
        migrations.RunPython(give, migrations.RunPython.noop),
    ]
