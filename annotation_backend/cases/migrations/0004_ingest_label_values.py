from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0003_stored_digests"),
    ]

    operations = [
        migrations.AddField(
            model_name="ingest",
            name="label_values",
            field=models.JSONField(default=dict, help_text="What a person said that the values of mask files mean"),
        ),
    ]
