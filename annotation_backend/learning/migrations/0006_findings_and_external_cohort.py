"""A run keeps what is to be said of its cases and folds; a study holds an external cohort back from all trainings."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("learning", "0005_one_at_a_time"),
    ]

    operations = [
        migrations.AddField(
            "run",
            "findings",
            models.JSONField(default=list, help_text="What is to be said of its cases and folds, one text each"),
        ),
        migrations.AddField(
            "retraining",
            "external",
            models.JSONField(help_text="Document of the cohort that no training of the study may read", null=True),
        ),
    ]
