"""People come into Label Studio by tickets, which are good once."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

_WORD = "Drawn at random; the ticket and that session say it"
_SESSION = "The session here; when it ends, so does the one there"


class Migration(migrations.Migration):
    dependencies = [("labeling", "0011_corrections"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="StudioEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("word", models.CharField(help_text=_WORD, max_length=64, unique=True)),
                ("session", models.CharField(help_text=_SESSION, max_length=40)),
                ("made_at", models.DateTimeField(auto_now_add=True, db_index=True)),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
    ]
