"""A promotion says who asked for it and why, with the figures that were known; those of before say nothing of it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0005_images_and_labels"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            "promotion",
            "is_back",
            models.BooleanField(default=False, help_text="Goes back to the model that served before"),
        ),
        migrations.AddField(
            "promotion",
            "person",
            models.ForeignKey(
                help_text="Or a command",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            "promotion",
            "reason",
            models.CharField(
                blank=True,
                default="",
                help_text="In a person's words, where figures did not decide",
                max_length=200,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "promotion",
            "decision",
            models.CharField(
                blank=True, default="", help_text="The same for what was promoted together", max_length=32
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "promotion",
            "evidence",
            models.JSONField(default=dict, help_text="What was known of it and of the model before, in figures"),
        ),
        migrations.AlterField("promotion", "created", models.DateTimeField(auto_now_add=True, db_index=True)),
    ]
