"""Models say which images they take and which label they draw, as their packages do; promotions say the label."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from annotation_backend.studies.first_study import first_study
from datasets.errors import RejectedInput
from datasets.image.mask import TUMOUR
from training.model_package import read_description


def fill(apps: Any, _editor: Any) -> None:
    """Takes images and label from the packages; what learned from our masks learned from the first study's."""
    for model in apps.get_model("registry", "Model").objects.all():
        with suppress(RejectedInput):  # its files are gone: it cannot be loaded either, until they are restored
            described = read_description(Path(settings.DATA_FOLDER) / model.folder)
            model.images, model.label = list(described.kinds), described.drawn_label
        if model.snapshot_digest:
            model.study = first_study(apps)
        model.save()


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0004_rows_of_a_study"),
    ]

    operations = [
        migrations.AddField(
            "model",
            "images",
            models.JSONField(default=list, help_text="Kinds of the images it takes, in its order; none for any image"),
        ),
        migrations.AddField(
            "model",
            "label",
            models.CharField(
                blank=True, default="", help_text="The label it draws; empty for whatever it is shown", max_length=80
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "model",
            "study",
            models.ForeignKey(
                help_text="Whose masks it learned from",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="models",
                to="studies.study",
            ),
        ),
        migrations.AddField(
            "promotion",
            "label",
            models.CharField(
                default=TUMOUR, help_text="One of the labels that the study's prompts draw", max_length=80
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
