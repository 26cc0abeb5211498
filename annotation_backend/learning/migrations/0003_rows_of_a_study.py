"""Every row is a study's, and codes and names are a study's own."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("learning", "0002_studies"),
    ]

    operations = [
        migrations.AlterField(
            model_name="snapshot",
            name="study",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="snapshots", to="studies.study"
            ),
        ),
        migrations.AlterField("snapshot", "digest", models.CharField(max_length=64)),
        migrations.AddConstraint(
            "snapshot", models.UniqueConstraint(fields=("study", "digest"), name="one_snapshot_per_digest")
        ),
    ]
