"""Whether a patient agreed that the images are given away; of cases that are there, nobody said."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0009_source_of_an_ingest"),
    ]

    operations = [
        migrations.AddField(
            model_name="case",
            name="consent",
            field=models.CharField(
                blank=True,
                choices=[("", "Unsaid"), ("given", "Given"), ("refused", "Refused")],
                default="",
                help_text="Whether the patient agreed that the images are given away; empty: nobody said",
                max_length=8,
            ),
            preserve_default=False,
        ),
    ]
