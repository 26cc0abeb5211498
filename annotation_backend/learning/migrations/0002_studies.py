"""What was there belongs to the first study."""

import django.db.models.deletion
from django.db import migrations, models

from annotation_backend.studies.first_study import belonging_to_first


class Migration(migrations.Migration):
    dependencies = [
        ("studies", "0002_first_study"),
        ("learning", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="snapshot",
            name="study",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="snapshots", to="studies.study"
            ),
        ),
        migrations.RunPython(belonging_to_first("learning", "Snapshot"), migrations.RunPython.noop),
    ]
