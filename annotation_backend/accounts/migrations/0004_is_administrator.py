"""A person's role is one in a study; only who administers the installation is said of the person."""

from typing import Any

from django.db import migrations, models


def keep_administrators(apps: Any, _editor: Any) -> None:
    """Everybody's role is a membership in the first study by now, but for those of administrators."""
    apps.get_model("accounts", "User").objects.filter(role="administrator").update(is_administrator=True)


def give_back(apps: Any, _editor: Any) -> None:
    """The role that a person had: an administrator's, or the one in the study that was there first."""
    people = apps.get_model("accounts", "User").objects
    for membership in apps.get_model("studies", "Membership").objects.order_by("-study"):
        people.filter(pk=membership.person_id).update(role=membership.role)
    people.filter(is_administrator=True).update(role="administrator")


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
        migrations.RunPython(keep_administrators, give_back),
        migrations.RemoveField(model_name="user", name="role"),
    ]
