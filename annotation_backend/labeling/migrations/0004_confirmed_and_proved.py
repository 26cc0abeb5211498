"""Marks of deletion become marks of an annotation in its task; what only a webhook says becomes a question."""

from typing import Any

import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_ANNOTATION = ("task", "project", "label_studio_task", "label_studio_id")


def place_marks(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A mark goes to every task that holds saves of its number; one that Label Studio did not confirm is asked again."""
    deletions = apps.get_model("labeling", "AnnotationDeletion")
    questions = apps.get_model("labeling", "DeletionAsked")
    for mark in list(deletions.objects.all()):
        if mark.is_confirmed:
            for key in _annotations_of(apps, mark):
                deletions.objects.create(**dict(zip(_KEYS, key, strict=True)))
        else:
            questions.objects.create(project_id=mark.project_id, label_studio_id=mark.label_studio_id)
        mark.delete()
    if schema_editor.connection.vendor == "postgresql":  # or the columns below cannot be altered in this transaction
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")


_KEYS = ("task_id", "project_id", "label_studio_task", "label_studio_id")


def _annotations_of(apps: Apps, mark: Any) -> set[tuple[int, ...]]:
    saves = apps.get_model("labeling", "Annotation").objects.order_by()
    rows = saves.filter(project_id=mark.project_id, label_studio_id=mark.label_studio_id)
    return set(rows.values_list(*_KEYS))


def join_findings(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """One finding a case stands for all its saves that Label Studio does not confirm."""
    findings = apps.get_model("labeling", "AnnotationFinding").objects
    newest: dict[int, Any] = {}
    open_ones = findings.filter(kind="unconfirmed", seen_at__isnull=True).order_by("-pk")
    for finding in open_ones.select_related("annotation__task").defer("annotation__raw"):  # a body may hold megabytes
        kept = newest.setdefault(finding.annotation.task.case_id, finding)
        kept.numbers = {"count": kept.numbers.get("count", 0) + 1}
        if kept is not finding:
            finding.delete()
    for finding in newest.values():
        finding.save(update_fields=["numbers"])


def recall_numbers(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Who left Label Studio had their number forgotten here; their saves still say which it was."""
    people = apps.get_model("accounts", "User").objects
    saves = apps.get_model("labeling", "Annotation").objects.order_by()
    for person in people.filter(label_studio_id__isnull=True):
        pairs = saves.filter(author=person.pk).values_list("updated_by", "completed_by").distinct()
        numbers = {updated_by or completed_by for updated_by, completed_by in pairs}
        if len(numbers) == 1 and not people.filter(label_studio_id__in=numbers).exists():
            person.label_studio_id = numbers.pop()
            person.save(update_fields=["label_studio_id"])


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("labeling", "0003_project_settings"),
    ]

    operations = [
        migrations.AddField(
            "labelingproject",
            "organisation",
            models.PositiveIntegerField(help_text="Label Studio's number of the one it is in", null=True),
        ),
        migrations.AddField(
            "labelingproject",
            "made_at",
            models.DateTimeField(help_text="Label Studio's own time: tells it from another of its number", null=True),
        ),
        migrations.RemoveConstraint("annotation", "one_row_per_save"),
        migrations.AddConstraint(
            "annotation",
            models.UniqueConstraint(
                fields=(*_ANNOTATION, "content_sha256", "completed_by", "updated_by"), name="one_row_per_save"
            ),
        ),
        migrations.CreateModel(
            name="DeletionAsked",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("label_studio_id", models.PositiveIntegerField()),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "project",
                    models.ForeignKey(
                        to="labeling.labelingproject",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deletions_asked",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("project", "label_studio_id"), name="one_question_per_annotation")
                ]
            },
        ),
        migrations.RemoveConstraint("annotationdeletion", "one_mark_per_deleted_annotation"),
        migrations.AddField("annotationdeletion", "label_studio_task", models.PositiveIntegerField(null=True)),
        migrations.AddField(
            "annotationdeletion",
            "task",
            models.ForeignKey(
                to="labeling.labelingtask",
                on_delete=django.db.models.deletion.CASCADE,
                null=True,
                related_name="deletions",
            ),
        ),
        migrations.RunPython(place_marks, migrations.RunPython.noop, elidable=False),
        migrations.RemoveField("annotationdeletion", "is_confirmed"),
        migrations.AlterField("annotationdeletion", "label_studio_task", models.PositiveIntegerField()),
        migrations.AlterField(
            "annotationdeletion",
            "task",
            models.ForeignKey(
                to="labeling.labelingtask", on_delete=django.db.models.deletion.CASCADE, related_name="deletions"
            ),
        ),
        migrations.AddConstraint(
            "annotationdeletion",
            models.UniqueConstraint(fields=_ANNOTATION, name="one_mark_per_deleted_annotation"),
        ),
        migrations.AlterField(
            "confirmation",
            "outcome",
            models.CharField(
                choices=[
                    ("confirmed", "confirmed"),
                    ("superseded", "replaced by a newer save before Label Studio could confirm it"),
                    ("assumed", "taken before saves were checked"),
                    ("otherwise", "Label Studio has something else"),
                    ("unknown", "Label Studio does not have it"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            "annotationfinding",
            "kind",
            models.CharField(
                choices=[
                    ("area", "Most of the mask is gone"),
                    ("regions", "A region is gone"),
                    ("label", "A label is gone"),
                    ("withdrawn", "What was drawn last counts no more"),
                    ("unconfirmed", "Label Studio does not confirm it"),
                    ("author", "Nobody knows who drew it"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            "annotationfinding",
            "numbers",
            models.JSONField(default=dict, help_text="Pixels and regions before and after, or how many saves"),
        ),
        migrations.CreateModel(
            name="NamedDrawer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "annotation",
                    models.OneToOneField(
                        to="labeling.annotation", on_delete=django.db.models.deletion.CASCADE, related_name="named"
                    ),
                ),
                (
                    "named_by",
                    models.ForeignKey(
                        to=settings.AUTH_USER_MODEL, on_delete=django.db.models.deletion.PROTECT, related_name="+"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        to=settings.AUTH_USER_MODEL,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="named_for",
                    ),
                ),
            ],
        ),
        migrations.RunPython(join_findings, migrations.RunPython.noop, elidable=False),
        migrations.RunPython(recall_numbers, migrations.RunPython.noop, elidable=False),
    ]
