"""What became of models' drafts, with each run."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("learning", "0006_findings_and_external_cohort")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="drafts",
            field=models.JSONField(
                default=list, help_text="What became of models' drafts on the way to the snapshot's masks"
            ),
        ),
    ]
