"""Every registration is that of one image, and a case has as many as images were moved. Until now T1 was, onto T2."""

import django.db.models.deletion
from django.db import migrations, models

MOVED, STAYED = "t1", "t2"


class Migration(migrations.Migration):
    dependencies = [("cases", "0007_images_of_a_case")]

    operations = [
        migrations.AlterField(
            "registration", "t1_file", models.CharField(default="", max_length=200)
        ),  # for a way back
        migrations.AlterField("registration", "t2_file", models.CharField(default="", max_length=200)),
        migrations.RemoveField("registration", "t1_file"),
        migrations.RemoveField("registration", "t2_file"),
        migrations.AlterField(
            "registration",
            "case",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="registrations", to="cases.case"
            ),
        ),
        migrations.AlterModelOptions("registration", options={"ordering": ["pk"]}),
        migrations.AddField(
            "registration",
            "role",
            models.CharField(default=MOVED, help_text="The image that was moved", max_length=16),
            preserve_default=False,
        ),
        migrations.AddField(
            "registration",
            "fixed_role",
            models.CharField(default=STAYED, help_text="The image that stayed", max_length=16),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            "registration", models.UniqueConstraint(fields=("case", "role"), name="one_registration_per_role")
        ),
        migrations.AddField(
            "registrationverdict",
            "role",
            models.CharField(default=MOVED, help_text="The image that was moved", max_length=16),
            preserve_default=False,
        ),
        migrations.AddField(
            "registrationredo",
            "role",
            models.CharField(
                blank=True, default="", help_text="The image to move; empty for all of them", max_length=16
            ),
            preserve_default=False,
        ),
        *(
            migrations.AlterField(
                model,
                field,
                models.CharField(
                    blank=model == "registration",
                    choices=[
                        ("accept", "Accepted"),
                        ("look", "To be looked at"),
                        ("reject", "Rejected"),
                        ("left_out", "Left out of the case"),
                    ],
                    max_length=8,
                    **extra,
                ),
            )
            for model, field, extra in (
                ("registration", "automatic_verdict", {}),
                ("registration", "verdict", {"db_index": True, "help_text": "A person's, or automatic"}),
                ("registrationverdict", "verdict", {}),
            )
        ),
    ]
