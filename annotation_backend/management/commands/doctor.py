"""`doctor`: does the whole loop hold, and if not, where does it break?"""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.doctor import examine
from annotation_backend.studies.arguments import add_study_of_projects


class Command(MaskloopCommand):
    """Tries every link of the running system, with a phantom case in each study, and names each that fails."""

    help = "Try every link of the running system with a phantom case; name each that fails and what to do."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the study in which to rehearse."""
        add_study_of_projects(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Examines the platform, and reports each link."""
        found = examine(tell=self.say, study=options["study"])
        if not found.failures:
            self.say("All links hold.")
        return found.as_dict(), [str(failure) for failure in found.failures]
