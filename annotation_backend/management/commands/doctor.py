"""`doctor`: does the whole loop hold, and if not, where does it break?"""

from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.doctor import examine


class Command(MaskloopCommand):
    """Tries every link of the running system, with a phantom case, and names each that fails."""

    help = "Try every link of the running system with a phantom case; name each that fails and what to do."

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Examines the platform, and reports each link."""
        found = examine(tell=self.say)
        if not found.failures:
            self.say("All links hold.")
        return found.as_dict(), [str(failure) for failure in found.failures]
