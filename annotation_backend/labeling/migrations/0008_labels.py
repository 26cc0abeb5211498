"""Masks say which labels they hold. Those that are there hold the tumour alone, and are compared with their saves.

Nothing is assembled here: the worker does it case by case. A mask whose saves hold nothing else stays as it is.
"""

from django.db import migrations, models

_TUMOUR_ALONE = [[1, "Tumour"]]
_WORDS = "Value and name of each label it may hold, the one that counts most first"


def tumour_alone() -> list[list[object]]:
    """The labels of every mask until now."""
    return [list(row) for row in _TUMOUR_ALONE]


class Migration(migrations.Migration):
    dependencies = [("labeling", "0007_decodings")]

    operations = [
        migrations.AddField("casemask", "labels", models.JSONField(default=tumour_alone, help_text=_WORDS)),
        migrations.AlterField("casemask", "labels", models.JSONField(help_text=_WORDS)),
    ]
