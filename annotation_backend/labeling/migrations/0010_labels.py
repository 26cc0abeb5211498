"""Masks say which labels they hold, and settings which labels are offered.

Masks that are there hold the tumour alone. Nothing is assembled here: the worker compares them with their saves, case
by case, and one whose saves hold nothing else stays as it is.
"""

from typing import Any

from django.db import migrations, models

_TUMOUR_ALONE = [[1, "Tumour"]]
_WORDS = "Value and name of each label it may hold, the one that counts most first"

_OFFERED = "Label to whether it is offered, where that was chosen"


def tumour_alone() -> list[list[object]]:
    """The labels of every mask until now."""
    return [list(row) for row in _TUMOUR_ALONE]


def offer_oedema(apps: Any, _editor: Any) -> None:
    """Where annotators were asked for oedema, they are offered it on."""
    changes = apps.get_model("labeling", "SettingsChange").objects
    changes.filter(has_oedema=True).update(labels={"Oedema": True})


class Migration(migrations.Migration):
    dependencies = [("labeling", "0009_rows_of_a_study")]

    operations = [
        migrations.AddField("casemask", "labels", models.JSONField(default=tumour_alone, help_text=_WORDS)),
        migrations.AlterField("casemask", "labels", models.JSONField(help_text=_WORDS)),
        migrations.AddField("settingschange", "labels", models.JSONField(default=dict, help_text=_OFFERED)),
        migrations.RunPython(offer_oedema, migrations.RunPython.noop),
        migrations.RemoveField("settingschange", "has_oedema"),
    ]
