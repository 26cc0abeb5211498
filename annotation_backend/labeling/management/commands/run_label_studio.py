"""`run_label_studio`: becomes the Label Studio process, with our settings."""

import os
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.labeling.studio_server.server import command, data_folder, environment


class Command(MaskloopCommand):
    """Starts Label Studio in the foreground on the address of LABEL_STUDIO_URL."""

    help = "Run Label Studio with this installation's settings (foreground)."

    def run(self, **_options: Any) -> tuple[dict[str, Any], list[str]]:
        """Replaces this process by Label Studio."""
        variables = environment()
        data_folder().mkdir(parents=True, exist_ok=True)
        program = command()
        os.execve(program[0], program, variables)  # noqa: S606 (our own environment's program, no shell)
