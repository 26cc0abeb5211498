"""Every run is a study's; one runs and one ask waits at a time in each."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("learning", "0004_what_a_run_records"),
    ]

    operations = [
        migrations.AlterField(
            "run",
            "study",
            models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="studies.study"),
        ),
        migrations.AddConstraint(
            "run",
            models.UniqueConstraint(
                condition=Q(("status", "running")), fields=("study",), name="one_running_run_per_study"
            ),
        ),
        migrations.AddConstraint(
            "trainingask",
            models.UniqueConstraint(
                condition=Q(("begun__isnull", True)), fields=("study",), name="one_waiting_ask_per_study"
            ),
        ),
    ]
