"""Extreme points as a kind of prompt, and whether a promotion was a person's choice."""

from typing import Any

from django.db import migrations, models


def mark_first_lite_medsam(apps: Any, schema_editor: Any) -> None:
    """LiteMedSAM's first promotion of a kind, where it is the kind's first at all, was made by `up`, by nobody."""
    promotion = apps.get_model("registry", "Promotion")
    for kind in ("automatic", "box", "point"):
        first = promotion.objects.filter(prompt_kind=kind).order_by("pk").first()
        if first is not None and first.model.method == "lite-medsam":
            first.is_default = True
            first.save()


class Migration(migrations.Migration):
    """Adds the choice and the field."""

    dependencies = [("registry", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="promotion",
            name="prompt_kind",
            field=models.CharField(
                choices=[
                    ("automatic", "automatic"),
                    ("box", "box"),
                    ("point", "click"),
                    ("extreme-points", "extreme points"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="promotion",
            name="is_default",
            field=models.BooleanField(default=False, help_text="Not a person's choice: a shipped model took the place"),
        ),
        migrations.RunPython(mark_first_lite_medsam, migrations.RunPython.noop),
    ]
