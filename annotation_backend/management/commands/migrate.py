"""`migrate`: Django's own, which finds the data folder there also in a fresh checkout."""

from typing import Any

from django.conf import settings
from django.core.management.commands.migrate import Command as DjangosCommand


class Command(DjangosCommand):
    """Makes the private data folder first, where the database lies by default."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Makes the folder before Django's checks, which open the database already; then migrates."""
        settings.DATA_FOLDER.mkdir(parents=True, exist_ok=True, mode=0o700)
        return super().execute(*args, **options)
