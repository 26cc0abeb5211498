"""Initial masks keep their slice of the uncertainty map; those of before have none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inference", "0005_by_time"),
    ]

    operations = [
        # The digest lies before the bytes: to read what comes behind a long value SQLite walks through all of it.
        migrations.AddField(
            model_name="initialmask",
            name="uncertainty_sha256",
            field=models.CharField(blank=True, help_text="Digest of the bytes of `uncertainty`", max_length=64),
        ),
        migrations.AddField(
            model_name="initialmask",
            name="uncertainty",
            field=models.BinaryField(
                help_text="The slice of the uncertainty map, 8 bits a pixel, compressed; none: the model gave no map",
                null=True,
            ),
        ),
    ]
