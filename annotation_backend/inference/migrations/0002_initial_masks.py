import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0002_cohort"),
        ("inference", "0001_initial"),
        ("registry", "0002_extreme_points"),
    ]

    operations = [
        migrations.CreateModel(
            name="InitialMask",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slice_index", models.PositiveIntegerField()),
                (
                    "inputs_sha256",
                    models.CharField(
                        help_text="Digest of what it was drawn from; another one: draw anew", max_length=64
                    ),
                ),
                ("model_version", models.CharField(help_text="As shown in Label Studio", max_length=120)),
                ("score", models.FloatField(null=True)),
                (
                    "bits",
                    models.BinaryField(
                        help_text="The mask's pixels in picture orientation, packed and compressed; empty if none"
                    ),
                ),
                ("drawn", models.DateTimeField(auto_now=True)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="initial_masks", to="cases.case"
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="initial_masks", to="registry.model"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("case", "slice_index", "model"), name="one_initial_mask_per_slice_and_model"
                    )
                ],
            },
        ),
    ]
