"""Every row is a study's, and codes and names are a study's own."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0003_studies"),
    ]

    operations = [
        migrations.AlterField(
            model_name="promotion",
            name="study",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="promotions", to="studies.study"
            ),
        ),
    ]
