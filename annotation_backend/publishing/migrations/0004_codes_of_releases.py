"""Releases have codes of their own for patients and cases; those of before called a case by the database's code."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import OuterRef, Subquery

BIG_ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")
KEPT = {"null": True, "on_delete": django.db.models.deletion.SET_NULL, "related_name": "+"}


def call_as_before(apps: Any, _editor: Any) -> None:
    """Writes down what former releases called their cases."""
    cases = apps.get_model("cases", "Case").objects.filter(pk=OuterRef("case"))
    apps.get_model("publishing", "ReleasedCase").objects.update(code=Subquery(cases.values("code")[:1]))


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0010_consent"),
        ("publishing", "0003_rows_of_a_study"),
        ("studies", "0004_people_and_invitations"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(  # the table is there: Django made it for the relation
            state_operations=[
                migrations.CreateModel(
                    name="ReleasedCase",
                    fields=[
                        ("id", BIG_ID),
                        (
                            "release",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="held",
                                to="publishing.release",
                            ),
                        ),
                        (
                            "case",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="released", to="cases.case"
                            ),
                        ),
                    ],
                    options={"db_table": "publishing_release_cases", "unique_together": {("release", "case")}},
                ),
                migrations.AlterField(
                    model_name="release",
                    name="cases",
                    field=models.ManyToManyField(
                        related_name="releases", through="publishing.ReleasedCase", to="cases.case"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ReleasePatient",
            fields=[
                ("id", BIG_ID),
                ("number", models.PositiveIntegerField()),
                ("patient", models.OneToOneField(to="cases.patient", **KEPT)),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="studies.study"
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "constraints": [
                    models.UniqueConstraint(fields=("study", "number"), name="one_patient_per_number"),
                    models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="patients_from_one"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReleaseCode",
            fields=[
                ("id", BIG_ID),
                ("number", models.PositiveIntegerField()),
                ("case", models.OneToOneField(to="cases.case", **KEPT)),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cases",
                        to="publishing.releasepatient",
                    ),
                ),
            ],
            options={
                "ordering": ["patient__number", "number"],
                "constraints": [
                    models.UniqueConstraint(fields=("patient", "number"), name="one_case_per_number"),
                    models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="cases_from_one"),
                ],
            },
        ),
        migrations.AddField(
            model_name="releasedcase",
            name="code",
            field=models.CharField(
                default="", help_text="What the release calls it; once the case's own code", max_length=64
            ),
            preserve_default=False,
        ),
        migrations.RunPython(call_as_before, migrations.RunPython.noop),
    ]
