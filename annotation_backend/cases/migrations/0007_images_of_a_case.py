"""Every image of a case has a row.

A registration used to be one row a case with two files. Files stay where they lie, and so do digests of records: what a
verdict, an approval, a mask or a picture was bound to holds.
"""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

MOVED, STAYED = "t1", "t2"


def rows_of_images(apps: Any, _editor: Any) -> None:
    """A row for each file of a registration, and on the case what its images are known by."""
    images = apps.get_model("cases", "CaseImage").objects
    for row in apps.get_model("cases", "Registration").objects.select_related("case"):
        outputs = row.record.get("outputs", {})
        for role, file in ((MOVED, row.t1_file), (STAYED, row.t2_file)):
            images.create(case=row.case, role=role, file=file, sha256=outputs.get(role, ""))
        row.case.images_sha256 = row.record_sha256
        row.case.save(update_fields=["images_sha256"])


def files_of_registrations(apps: Any, _editor: Any) -> None:
    """The way back, for cases that have the two images."""
    registrations = apps.get_model("cases", "Registration").objects
    for row in registrations.select_related("case"):
        files = dict(apps.get_model("cases", "CaseImage").objects.filter(case=row.case).values_list("role", "file"))
        row.t1_file, row.t2_file = files.get(MOVED, ""), files.get(STAYED, "")
        row.save(update_fields=["t1_file", "t2_file"])


class Migration(migrations.Migration):
    dependencies = [("cases", "0006_rows_of_a_study")]

    operations = [
        migrations.AddField(
            "case",
            "images_sha256",
            models.CharField(
                blank=True, default="", help_text="Its images on its grid; empty until there", max_length=64
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            "case",
            "pictured_sha256",
            models.CharField(blank=True, help_text="The images that the slices show", max_length=64),
        ),
        migrations.CreateModel(
            name="CaseImage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("role", models.CharField(max_length=16)),
                ("file", models.CharField(help_text="Relative to the case's folder", max_length=200)),
                ("sha256", models.CharField(max_length=64)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="images", to="cases.case"
                    ),
                ),
            ],
            options={"ordering": ["pk"]},
        ),
        migrations.AddConstraint(
            "caseimage", models.UniqueConstraint(fields=("case", "role"), name="one_image_per_role")
        ),
        migrations.RunPython(rows_of_images, files_of_registrations),
    ]
