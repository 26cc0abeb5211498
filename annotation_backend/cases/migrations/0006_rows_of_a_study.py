"""Every row is a study's, and codes and names are a study's own."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0005_studies"),
    ]

    operations = [
        migrations.AlterField(
            model_name="patient",
            name="study",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="patients", to="studies.study"
            ),
        ),
        migrations.AlterField(
            model_name="case",
            name="study",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="cases", to="studies.study"
            ),
        ),
        migrations.AlterField(
            model_name="ingest",
            name="study",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="ingests", to="studies.study"
            ),
        ),
        migrations.AlterField("case", "code", models.CharField(max_length=60, unique=True)),
        migrations.AlterField(
            "case",
            "source_sha256",
            models.CharField(help_text="Digest of all series' source digests", max_length=64),
        ),
        migrations.AlterField("case", "tissue_type", models.CharField(default="unknown", max_length=30)),
        migrations.AlterField("chosenseries", "role", models.CharField(max_length=16)),
        migrations.AlterField("series", "role", models.CharField(max_length=16)),
        migrations.AlterField("slice", "role", models.CharField(max_length=16)),
        migrations.AlterField("patient", "code", models.CharField(max_length=60, unique=True)),
        migrations.AlterField(
            "patient",
            "pseudonym",
            models.CharField(help_text="HMAC-SHA-256; the key stays in the data folder", max_length=64),
        ),
        migrations.AddConstraint(
            "case", models.UniqueConstraint(fields=("study", "source_sha256"), name="one_case_per_source")
        ),
        migrations.AddConstraint(
            "patient", models.UniqueConstraint(fields=("study", "pseudonym"), name="one_patient_per_pseudonym")
        ),
    ]
