"""A run says whose study it is, with what it was made and how it goes; a study says when it trains again.

Trainings of before that stand as running have no process any more while a migration runs: they stopped.
"""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

STUDY = {"on_delete": django.db.models.deletion.PROTECT, "related_name": "runs", "to": "studies.study"}
STATUSES = [("running", "Running"), ("stopped", "Stopped"), ("done", "Done"), ("failed", "Failed")]
PERSON = {"null": True, "on_delete": django.db.models.deletion.PROTECT, "related_name": "+"}


def give(apps: Any, schema_editor: Any) -> None:
    """Gives every run to its snapshot's study, and ends those that stand as running."""
    snapshots = apps.get_model("learning", "Snapshot").objects
    runs = apps.get_model("learning", "Run").objects
    for snapshot in snapshots.all():
        runs.filter(snapshot=snapshot).update(study=snapshot.study_id)
    runs.filter(status="running").update(status="stopped")
    if schema_editor.connection.vendor == "postgresql":  # or no index can be made in this transaction
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")


class Migration(migrations.Migration):
    dependencies = [
        ("learning", "0003_rows_of_a_study"),
        ("registry", "0006_grounds_of_promotions"),
        ("studies", "0004_people_and_invitations"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField("run", "study", models.ForeignKey(null=True, **STUDY)),
        migrations.AlterField("run", "status", models.CharField(choices=STATUSES, default="running", max_length=10)),
        migrations.AddField(
            "run", "code", models.JSONField(default=dict, help_text="Version, and commit where there is one")
        ),
        migrations.AddField(
            "run",
            "environment",
            models.JSONField(default=dict, help_text="Software, kind of machine, threads; no names of machines"),
        ),
        migrations.AddField(
            "run",
            "folds",
            models.JSONField(default=list, help_text="The cases that each fold is tried on; none without folds"),
        ),
        migrations.AddField(
            "run",
            "holder",
            models.CharField(blank=True, default="", help_text="Says whether its process lives", max_length=80),
            preserve_default=False,
        ),
        migrations.AddField(
            "run",
            "progress",
            models.JSONField(default=dict, help_text="Part, iterations, seconds left and losses as it trains"),
        ),
        migrations.AddField(
            "run",
            "figures",
            models.JSONField(default=list, help_text="Each held-out case as drawn by the fold that never saw it"),
        ),
        migrations.AddField("run", "summary", models.JSONField(default=dict, help_text="Of the figures")),
        migrations.AlterField("run", "started", models.DateTimeField(auto_now_add=True, db_index=True)),
        migrations.CreateModel(
            name="TrainingAsk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "why",
                    models.CharField(
                        choices=[
                            ("cases", "new approved cases"),
                            ("clock", "the clock"),
                            ("button", "a button"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "count",
                    models.PositiveIntegerField(default=1, help_text="How often it was asked until it began"),
                ),
                ("created", models.DateTimeField(auto_now_add=True, db_index=True)),
                ("begun", models.DateTimeField(null=True)),
                ("error", models.TextField(blank=True, help_text="Why nothing was trained")),
                ("person", models.ForeignKey(help_text="If it is known", to=settings.AUTH_USER_MODEL, **PERSON)),
                (
                    "run",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="asks",
                        to="learning.run",
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="training_asks",
                        to="studies.study",
                    ),
                ),
            ],
            options={"ordering": ["pk"]},
        ),
        migrations.CreateModel(
            name="Retraining",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "after_cases",
                    models.PositiveIntegerField(help_text="New approved cases; none: not by them", null=True),
                ),
                (
                    "every_days",
                    models.PositiveIntegerField(
                        help_text="Days between two trainings; none: not by the clock", null=True
                    ),
                ),
                (
                    "by_button",
                    models.BooleanField(default=True, help_text="Whether Label Studio's button starts one"),
                ),
                ("method", models.CharField(max_length=60)),
                (
                    "folds",
                    models.PositiveIntegerField(default=0, help_text="0: one model of all cases, without figures"),
                ),
                (
                    "iterations",
                    models.PositiveIntegerField(help_text="None: the method's own number", null=True),
                ),
                ("created", models.DateTimeField(auto_now_add=True, db_index=True)),
                ("person", models.ForeignKey(help_text="Or a command", to=settings.AUTH_USER_MODEL, **PERSON)),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="retrainings",
                        to="studies.study",
                    ),
                ),
            ],
            options={"ordering": ["-pk"]},
        ),
        migrations.RunPython(give, migrations.RunPython.noop),
    ]
