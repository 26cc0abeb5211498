"""A person's role is one in a study; only who administers the installation is said of the person."""

from typing import Any

from django.db import migrations, models


def keep_administrators(apps: Any, _editor: Any) -> None:
    """Everybody's role is a membership in the first study by now, but for those of administrators."""
    apps.get_model("accounts", "User").objects.filter(role="administrator").update(is_administrator=True)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_draws_since"),
        ("studies", "0002_first_study"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="is_administrator",
            field=models.BooleanField(
                default=False, help_text="All studies are there for them, and they may do there what a data manager may"
            ),
        ),
        migrations.RunPython(keep_administrators, migrations.RunPython.noop),
        migrations.RemoveField(model_name="user", name="role"),
    ]
