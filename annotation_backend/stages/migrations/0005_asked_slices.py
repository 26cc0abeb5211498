"""What a return asks for. Of those before, which asked for the whole case, that stays so."""

from django.db import migrations, models


def ask_for_all(apps, _editor) -> None:
    rows = apps.get_model("stages", "CaseStage")._base_manager
    rows.filter(round__gt=1, is_fresh=False).update(asked_slices=None)


class Migration(migrations.Migration):
    dependencies = [
        ("stages", "0004_by_time"),
    ]

    operations = [
        migrations.AddField(
            model_name="casestage",
            name="asked_slices",
            field=models.JSONField(
                default=list,
                help_text="Slices that a return asks to be drawn again; None: the whole case",
                null=True,
            ),
        ),
        migrations.RunPython(ask_for_all, migrations.RunPython.noop),
    ]
