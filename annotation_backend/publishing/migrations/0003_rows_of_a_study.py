"""Every row is a study's, and codes and names are a study's own."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("publishing", "0002_studies"),
    ]

    operations = [
        migrations.AlterField(
            model_name="release",
            name="study",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="releases", to="studies.study"
            ),
        ),
        migrations.RemoveConstraint("release", "one_release_per_version"),
        migrations.AddConstraint(
            "release",
            models.UniqueConstraint(fields=("study", "name", "version"), name="one_release_per_version"),
        ),
    ]
