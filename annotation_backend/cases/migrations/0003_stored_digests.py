"""Digests of every picture, and what was found damaged; pictures of earlier versions get theirs from `slices.json`."""

import json
from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SLICES_FILE = "slices.json"
DRAWN_ON = "standard"


def take_digests_from_descriptions(apps, _schema_editor):
    """Each export's description names every picture with its digest; where it is gone, other windows are not shown."""
    slices = apps.get_model("cases", "Slice").objects
    for case in apps.get_model("cases", "Case").objects.filter(slices__isnull=False).distinct():
        for picture in slices.filter(case=case):
            folder = Path(settings.DATA_FOLDER) / "cases" / case.code / Path(picture.file).parent
            picture.windows = _described(folder).get((picture.role, picture.index), {})
            picture.save(update_fields=["windows"])


def _described(folder, _known={}):  # noqa: B006 (one description for all pictures of a folder)
    if folder not in _known:
        _known.clear()
        _known[folder] = _read(folder)
    return _known[folder]


def _read(folder):
    windows = {}
    try:
        rows = json.loads((folder / SLICES_FILE).read_text(encoding="utf-8"))["slices"]
        for row in rows:
            if row["preset"] != DRAWN_ON:
                windows.setdefault((row["role"], row["index"]), {})[row["preset"]] = row["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return windows


class Migration(migrations.Migration):
    dependencies = [("cases", "0002_cohort")]

    operations = [
        migrations.AddField(
            model_name="slice",
            name="windows",
            field=models.JSONField(
                default=dict, help_text="Digests of the same slice in other windows, by their names"
            ),
        ),
        migrations.CreateModel(
            name="Damage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("file", models.CharField(help_text="Relative to the data folder", max_length=300, unique=True)),
                ("sha256", models.CharField(help_text="What the file's digest must be", max_length=64)),
                ("code", models.CharField(max_length=40)),
                ("message", models.CharField(max_length=300)),
                ("remedy", models.CharField(max_length=300)),
                ("found", models.DateTimeField(auto_now_add=True)),
                (
                    "case",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="damages",
                        to="cases.case",
                    ),
                ),
            ],
            options={"ordering": ["file"]},
        ),
        migrations.RunPython(take_digests_from_descriptions, migrations.RunPython.noop),
    ]
