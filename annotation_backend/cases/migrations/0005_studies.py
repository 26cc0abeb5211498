"""What was there belongs to the first study."""

import django.db.models.deletion
from django.db import migrations, models

from annotation_backend.studies.first_study import belonging_to_first


class Migration(migrations.Migration):
    dependencies = [
        ("studies", "0002_first_study"),
        ("cases", "0004_ingest_label_values"),
    ]

    operations = [
        migrations.AddField(
            model_name="patient",
            name="study",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="patients", to="studies.study"
            ),
        ),
        migrations.AddField(
            model_name="case",
            name="study",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="cases", to="studies.study"
            ),
        ),
        migrations.AddField(
            model_name="ingest",
            name="study",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="ingests", to="studies.study"
            ),
        ),
        migrations.RunPython(belonging_to_first("cases", "Patient", "Case", "Ingest"), migrations.RunPython.noop),
    ]
