"""An administrator's role is one in the installation, and none in a study."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("studies", "0002_first_study"),
        ("accounts", "0004_is_administrator"),
    ]

    operations = [
        migrations.AlterField(
            model_name="membership",
            name="role",
            field=models.CharField(
                choices=[("data_manager", "Data manager"), ("radiologist", "Radiologist"), ("annotator", "Annotator")],
                max_length=20,
            ),
        ),
    ]
