"""Models say which images they take and which label they draw, as their packages do; promotions say the label."""

import json
from pathlib import Path
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

BOXED = ("lite-medsam", "medsam-vit")
"""Methods that draw whatever they are shown, on any image."""


def fill(apps: Any, _editor: Any) -> None:
    """Takes the images from the packages of that time, which drew the tumour; all were the first study's."""
    first = apps.get_model("studies", "Study").objects.filter(is_first=True).first()
    for model in apps.get_model("registry", "Model").objects.all():
        model.images = _images(model)
        model.label = "" if model.method in BOXED else "Tumour"
        model.study = first if model.snapshot_digest else None
        model.save()


def _images(model: Any) -> list[str]:
    """Kinds of the images of a model; none where its files are gone, without which it cannot draw either."""
    if model.method in BOXED:
        return []
    if model.method == "unet-25d":
        return ["t1", "t2"]
    try:
        described = json.loads((Path(settings.DATA_FOLDER) / model.folder / "model.json").read_bytes())
        return [str(entry["image"]) for entry in described["parameters"]["channels"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


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
                default="Tumour", help_text="One of the labels that the study's prompts draw", max_length=80
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
