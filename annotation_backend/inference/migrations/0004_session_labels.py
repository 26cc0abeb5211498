"""A session is about one label; those of before are about the first that prompts draw."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inference", "0003_sessions"),
    ]

    operations = [
        migrations.RemoveConstraint("session", "one_session_per_person_and_case"),
        migrations.RemoveConstraint("session", "one_session_without_a_person"),
        migrations.AddField(
            "session",
            "label",
            models.CharField(
                blank=True, default="", help_text="Empty for the first label that prompts draw", max_length=80
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            "session",
            models.UniqueConstraint(fields=("case", "person", "label"), name="one_session_per_person_and_case"),
        ),
        migrations.AddConstraint(
            "session",
            models.UniqueConstraint(
                condition=models.Q(("person__isnull", True)),
                fields=("case", "label"),
                name="one_session_without_a_person",
            ),
        ),
    ]
