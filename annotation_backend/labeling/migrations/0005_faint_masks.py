"""Saves whose masks seemed empty are decoded anew: a mask that is faint throughout counts as drawn since."""

from typing import Any

from django.db import migrations


def forget_empty_masks(apps: Any, _schema: Any) -> None:
    """What was decoded is kept beside a save only to be at hand; what is missing is decoded when it is asked for."""
    version_masks = apps.get_model("labeling", "VersionMasks")
    rows = version_masks.objects.values_list("pk", "areas").iterator()
    seeming_empty = [key for key, areas in rows if not all(areas.values())]
    version_masks.objects.filter(pk__in=seeming_empty).delete()


class Migration(migrations.Migration):
    dependencies = [("labeling", "0004_confirmed_and_proved")]

    operations = [migrations.RunPython(forget_empty_masks, migrations.RunPython.noop)]
