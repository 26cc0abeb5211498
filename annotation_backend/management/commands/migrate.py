"""`migrate`: Django's own, which finds the data folder there also in a fresh checkout."""

from typing import Any

from django.conf import settings
from django.core.management.commands.migrate import Command as DjangosCommand


class Command(DjangosCommand):
    """Makes the private data folder first, where the database lies by default."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Makes the folder, then migrates."""
        settings.DATA_FOLDER.mkdir(parents=True, exist_ok=True, mode=0o700)
        super().handle(*args, **options)
