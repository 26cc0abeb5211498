"""A verdict also ends where it turns out that who gave it drew in the mask."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("review", "0003_approvals_of_before")]

    operations = [
        migrations.AlterField(
            model_name="verdictend",
            name="reason",
            field=models.CharField(
                choices=[
                    ("registration", "the case was registered again"),
                    ("pictures", "its pictures were drawn anew"),
                    ("sequence", "another sequence is drawn on now"),
                    ("saves", "what was drawn has changed"),
                    ("own", "who gave it drew in the mask"),
                    ("unproven", "it was given before verdicts were bound to what was looked at; look again"),
                ],
                max_length=12,
            ),
        ),
    ]
