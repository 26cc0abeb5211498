"""Versions: where a save came from, who made it, its number in its task, its masks, and what is known about it."""

from typing import Any

import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def fill_in(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Project, number and people of the saves that are there; what came by webhook was taken at its word."""
    annotations = apps.get_model("labeling", "Annotation")
    confirmations = apps.get_model("labeling", "Confirmation")
    projects = list(apps.get_model("labeling", "LabelingProject").objects.order_by("pk"))
    counts: dict[int, int] = {}
    for row in annotations.objects.order_by("pk").select_related("task").iterator(chunk_size=200):
        counts[row.task_id] = counts.get(row.task_id, 0) + 1
        row.number = counts[row.task_id]
        row.project_id = _project(row, projects)
        row.completed_by, row.updated_by = _person(row.raw, "completed_by"), _person(row.raw, "updated_by")
        row.label_studio_task = _number(row.raw.get("task"))
        row.save(update_fields=["number", "project", "completed_by", "updated_by", "label_studio_task"])
        if row.received_by == "webhook":
            confirmations.objects.create(annotation_id=row.pk, outcome="assumed")
    _place_deletions(apps)
    if schema_editor.connection.vendor == "postgresql":  # or the columns below cannot be altered in this transaction
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        schema_editor.execute("SET CONSTRAINTS ALL DEFERRED")


def _place_deletions(apps: Apps) -> None:
    """Each mark goes to the projects that have a save of its annotation; a mark of none says nothing."""
    deletions = apps.get_model("labeling", "AnnotationDeletion")
    annotations = apps.get_model("labeling", "Annotation")
    for mark in list(deletions.objects.all()):
        saves = annotations.objects.filter(label_studio_id=mark.label_studio_id)
        for project in sorted(set(saves.values_list("project", flat=True))):
            deletions.objects.create(project_id=project, label_studio_id=mark.label_studio_id)
        mark.delete()


def _project(row: Any, projects: list[Any]) -> int:
    """The record of the project that the save names; the newest one where Label Studio gave a number again."""
    named = _number(row.raw.get("project"))
    own = [project.pk for project in projects if project.pk == row.task.project_id]
    fitting = [project.pk for project in projects if project.label_studio_id == named]
    return int(own[0] if own[0] in fitting or not fitting else fitting[-1])


def _person(raw: dict[str, Any], field: str) -> int:
    number = _number(raw.get(field))
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**31 else 0


def _number(value: Any) -> Any:
    return value.get("id") if isinstance(value, dict) else value


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("labeling", "0001_initial"),
    ]

    operations = [
        migrations.RemoveConstraint("labelingtask", "one_record_per_task"),
        migrations.AlterField(
            "labelingtask",
            "label_studio_id",
            models.PositiveIntegerField(help_text="0: Label Studio has deleted it and given its number to another"),
        ),
        migrations.AddConstraint(
            "labelingtask",
            models.UniqueConstraint(
                fields=["project", "label_studio_id"],
                condition=models.Q(label_studio_id__gt=0),
                name="one_record_per_task",
            ),
        ),
        migrations.AddField(
            "labelingproject",
            "pulled_until",
            models.DateTimeField(help_text="What Label Studio changed before this was compared", null=True),
        ),
        migrations.RemoveConstraint("annotation", "one_row_per_save"),
        migrations.AddField(
            "annotation",
            "completed_by",
            models.PositiveIntegerField(default=0, help_text="Label Studio's number of a person; 0: not said"),
        ),
        migrations.AddField(
            "annotation",
            "updated_by",
            models.PositiveIntegerField(default=0, help_text="Label Studio's number of a person; 0: not said"),
        ),
        migrations.AddField(
            "annotation",
            "label_studio_task",
            models.PositiveIntegerField(default=0, help_text="Label Studio's number of the task it was saved in"),
            preserve_default=False,
        ),
        migrations.AddField("annotation", "number", models.PositiveIntegerField(null=True)),
        migrations.AddField(
            "annotation",
            "project",
            models.ForeignKey(
                to="labeling.labelingproject",
                on_delete=django.db.models.deletion.PROTECT,
                null=True,
                related_name="annotations",
            ),
        ),
        migrations.AlterField(
            "annotation",
            "content_sha256",
            models.CharField(help_text="Digest of what was drawn and when", max_length=64),
        ),
        migrations.AlterField("annotationdeletion", "label_studio_id", models.PositiveIntegerField()),
        migrations.AddField(
            "annotationdeletion",
            "is_confirmed",
            models.BooleanField(default=False, help_text="Label Studio was asked and does not have it"),
        ),
        migrations.AddField(
            "annotationdeletion",
            "project",
            models.ForeignKey(
                to="labeling.labelingproject",
                on_delete=django.db.models.deletion.CASCADE,
                null=True,
                related_name="deletions",
            ),
        ),
        migrations.CreateModel(
            name="Confirmation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("confirmed", "confirmed"),
                            ("superseded", "already replaced by a newer save when Label Studio was asked"),
                            ("assumed", "taken before saves were checked"),
                            ("otherwise", "Label Studio has something else"),
                            ("unknown", "Label Studio does not have it"),
                        ],
                        max_length=10,
                    ),
                ),
                ("asked", models.DateTimeField(auto_now=True)),
                (
                    "annotation",
                    models.OneToOneField(
                        to="labeling.annotation",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="confirmation",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="VersionMasks",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("height", models.PositiveIntegerField(help_text="pixels")),
                ("width", models.PositiveIntegerField(help_text="pixels")),
                ("areas", models.JSONField(help_text="Pixels inside, by label")),
                ("regions", models.JSONField(help_text="Count of mask regions, by label")),
                (
                    "unreadable",
                    models.PositiveIntegerField(help_text="Regions that could not be read; the save itself keeps them"),
                ),
                (
                    "bits",
                    models.BinaryField(
                        help_text="The labels' masks in alphabetical order, row by row, packed and compressed"
                    ),
                ),
                (
                    "annotation",
                    models.OneToOneField(
                        to="labeling.annotation", on_delete=django.db.models.deletion.CASCADE, related_name="drawn"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="FormerTask",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("label_studio_id", models.PositiveIntegerField()),
                (
                    "project",
                    models.ForeignKey(
                        to="labeling.labelingproject",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="former_tasks",
                    ),
                ),
                (
                    "task",
                    models.ForeignKey(
                        to="labeling.labelingtask", on_delete=django.db.models.deletion.CASCADE, related_name="former"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("task", "project", "label_studio_id"), name="one_record_per_former_task"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="AnnotationFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("area", "Most of the mask is gone"),
                            ("regions", "A region is gone"),
                            ("label", "A label is gone"),
                            ("withdrawn", "What was drawn last counts no more"),
                            ("unconfirmed", "Label Studio does not confirm this save"),
                        ],
                        max_length=12,
                    ),
                ),
                ("label", models.CharField(blank=True, max_length=100)),
                ("numbers", models.JSONField(default=dict, help_text="Pixels and regions before and after")),
                ("seen_at", models.DateTimeField(null=True)),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "annotation",
                    models.ForeignKey(
                        to="labeling.annotation", on_delete=django.db.models.deletion.CASCADE, related_name="findings"
                    ),
                ),
                (
                    "before",
                    models.ForeignKey(
                        to="labeling.annotation",
                        on_delete=django.db.models.deletion.CASCADE,
                        null=True,
                        related_name="+",
                    ),
                ),
                (
                    "seen_by",
                    models.ForeignKey(
                        to=settings.AUTH_USER_MODEL,
                        on_delete=django.db.models.deletion.PROTECT,
                        null=True,
                        related_name="seen_findings",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("annotation", "before", "kind", "label"), name="one_finding_per_loss"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Restoration",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "person",
                    models.ForeignKey(
                        to=settings.AUTH_USER_MODEL,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="restorations",
                    ),
                ),
                (
                    "result",
                    models.OneToOneField(
                        to="labeling.annotation",
                        on_delete=django.db.models.deletion.CASCADE,
                        null=True,
                        related_name="restored_from",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        to="labeling.annotation",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="restorations",
                    ),
                ),
            ],
        ),
        migrations.RunPython(fill_in, migrations.RunPython.noop, elidable=False),
        migrations.AlterField(
            "annotation",
            "number",
            models.PositiveIntegerField(help_text="Counts the versions of a task in the order they came here"),
        ),
        migrations.AlterField(
            "annotation",
            "project",
            models.ForeignKey(
                to="labeling.labelingproject",
                on_delete=django.db.models.deletion.PROTECT,
                help_text="Where it was saved; its number means nothing in another project",
                related_name="annotations",
            ),
        ),
        migrations.AlterField(
            "annotationdeletion",
            "project",
            models.ForeignKey(
                to="labeling.labelingproject", on_delete=django.db.models.deletion.CASCADE, related_name="deletions"
            ),
        ),
        migrations.AddIndex(
            "annotation", models.Index(fields=["project", "label_studio_id", "saved_at"], name="saves_of_an_annotation")
        ),
        migrations.AddConstraint(
            "annotation",
            models.UniqueConstraint(
                fields=("project", "label_studio_id", "content_sha256", "completed_by", "updated_by"),
                name="one_row_per_save",
            ),
        ),
        migrations.AddConstraint(
            "annotation", models.UniqueConstraint(fields=("task", "number"), name="one_number_per_version")
        ),
        migrations.AddConstraint(
            "annotationdeletion",
            models.UniqueConstraint(fields=("project", "label_studio_id"), name="one_mark_per_deleted_annotation"),
        ),
    ]
