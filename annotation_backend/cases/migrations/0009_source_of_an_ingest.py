"""An ingest of a published dataset says whose it is, with its licence and what has to be cited."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0008_registration_of_an_image")]

    operations = [
        migrations.AddField(
            "ingest",
            "source",
            models.JSONField(
                default=dict, help_text="Of a published dataset: layout, title, licence, citation and digest"
            ),
        ),
    ]
