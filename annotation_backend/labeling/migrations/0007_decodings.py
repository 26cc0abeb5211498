"""Which decoding gave what is kept: what is there was decoded by an earlier version, and is decoded anew and compared.

Nothing is decoded here: the worker does it case by case, and what was approved stays bound to what was looked at.
"""

from django.db import migrations, models

BEFORE, NOW = 1, 2


def _field(default: int, words: str) -> models.PositiveSmallIntegerField:
    return models.PositiveSmallIntegerField(default=default, help_text=words)


_OF_MASKS, _OF_VERSIONS = "Which decoding of its saves it shows", "Which decoding gave them"


class Migration(migrations.Migration):
    dependencies = [("labeling", "0006_studio_watched")]

    operations = [
        migrations.AddField("casemask", "decoding", _field(BEFORE, _OF_MASKS)),
        migrations.AddField("versionmasks", "decoding", _field(BEFORE, _OF_VERSIONS)),
        migrations.AlterField("casemask", "decoding", _field(NOW, _OF_MASKS)),
        migrations.AlterField("versionmasks", "decoding", _field(NOW, _OF_VERSIONS)),
    ]
