"""`doctor`: does the whole loop hold, and if not, where does it break?"""

from typing import Any

from annotation_backend.doctor import examine
from annotation_backend.management.arguments import MaskloopCommand


class Command(MaskloopCommand):
    """Sends a phantom case through the running system and names the first link that fails."""

    help = "Send a phantom case through the running system; name the first link that fails and what to do."

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Examines."""
        found = examine(tell=self.say)
        if found.failed:
            return {"good": found.good, "failed": found.failed}, [f"{found.failed} fails: {found.why}"]
        self.say("All links hold.")
        return {"good": found.good, "failed": None}, []
