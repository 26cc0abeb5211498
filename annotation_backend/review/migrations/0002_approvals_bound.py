"""Verdicts keep what they were given on, and how they ended."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("review", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="review",
            name="seen",
            field=models.JSONField(
                default=dict, help_text="What was looked at, by digest; empty: of an earlier version"
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="seen_sha256",
            field=models.CharField(blank=True, help_text="Digest of that record", max_length=64),
        ),
        migrations.CreateModel(
            name="VerdictEnd",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("registration", "the case was registered again"),
                            ("pictures", "its pictures were drawn anew"),
                            ("sequence", "another sequence is drawn on now"),
                            ("saves", "what was drawn has changed"),
                            (
                                "unproven",
                                "it was given before verdicts were bound to what was looked at; look again",
                            ),
                        ],
                        max_length=12,
                    ),
                ),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "review",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="end", to="review.review"
                    ),
                ),
            ],
        ),
    ]
