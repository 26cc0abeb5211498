"""An ingest has a row for each of a patient's cases that a dataset tells apart; those that are there are of the whole."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0010_consent"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="ingestpatient",
            name="one_row_per_patient_and_ingest",
        ),
        migrations.AddField(
            model_name="ingestpatient",
            name="visit",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="Which of several cases of the patient that the source tells apart, from 1; 0 for all",
            ),
        ),
        migrations.AddConstraint(
            model_name="ingestpatient",
            constraint=models.UniqueConstraint(
                fields=("ingest", "patient", "visit"), name="one_row_per_visit_and_ingest"
            ),
        ),
    ]
