"""Settings of a project with their history, and the tabs that were made in Label Studio."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0002_versions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SettingsChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("mask_format", models.CharField(choices=[("brush", "brush"), ("bitmask", "bitmask")], max_length=10)),
                ("has_oedema", models.BooleanField()),
                (
                    "prompt_models",
                    models.JSONField(help_text="Kind of prompt to the name and version of the model that answers it"),
                ),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "person",
                    models.ForeignKey(
                        help_text="None for a command",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="settings_changes",
                        to="labeling.labelingproject",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="ProjectTab",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("purpose", models.CharField(help_text="A task's state, or whose annotations it shows", max_length=30)),
                ("label_studio_id", models.PositiveIntegerField()),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tabs", to="labeling.labelingproject"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("project", "purpose"), name="one_tab_per_purpose")],
            },
        ),
    ]
