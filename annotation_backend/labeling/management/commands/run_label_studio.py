"""`run_label_studio`: becomes the Label Studio process, with our settings."""

import os
from typing import Any

from django.core.management.base import BaseCommand

from annotation_backend.labeling.server import command, data_folder, environment


class Command(BaseCommand):
    """Starts Label Studio in the foreground on the address of LABEL_STUDIO_URL."""

    help = "Run Label Studio with this installation's settings (foreground)."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Replaces this process."""
        data_folder().mkdir(parents=True, exist_ok=True)
        program = command()
        os.execve(program[0], program, environment())  # noqa: S606 (our own environment's program, no shell)
