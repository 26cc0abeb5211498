"""What was there belongs to the first study."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def give(apps: Any, _editor: Any) -> None:
    """Gives every row to the first study."""
    first = apps.get_model("studies", "Study").objects.filter(is_first=True).first()
    for name in (
        "Patient",
        "Case",
        "Ingest",
    ):
        apps.get_model("cases", name).objects.update(study=first)


class Migration(migrations.Migration):
    dependencies = [
        ("studies", "0002_first_study"),
        ("cases", "0004_ingest_label_values"),
    ]

    operations = [
        migrations.AddField(
            model_name="patient",
            name="study",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="patients", to="studies.study"
            ),
        ),
        migrations.AddField(
            model_name="case",
            name="study",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="cases", to="studies.study"
            ),
        ),
        migrations.AddField(
            model_name="ingest",
            name="study",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="ingests", to="studies.study"
            ),
        ),
        migrations.RunPython(give, migrations.RunPython.noop),
    ]
