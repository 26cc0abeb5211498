from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("stages", "0005_asked_slices"),
    ]

    operations = [
        migrations.AddField(
            model_name="casestage",
            name="is_added",
            field=models.BooleanField(
                default=False, help_text="Opened for a finished case by a later version; its approval holds meanwhile"
            ),
        ),
    ]
