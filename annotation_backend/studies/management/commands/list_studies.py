"""`list_studies`: the studies of this installation."""

from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.studies.models import Study


class Command(MaskloopCommand):
    """Lists each study with its protocol."""

    help = "List the studies with their protocols."

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Lists them."""
        rows = []
        for study in Study.objects.all():
            protocol = study.protocol
            self.say(f"{study}: {protocol.title} ({protocol.name} {protocol.version})")
            rows.append(
                {
                    "study": study.name,
                    "protocol": protocol.name,
                    "version": protocol.version,
                    "digest": protocol.digest,
                    "images": list(protocol.roles),
                    "labels": [label.name for label in protocol.labels],
                }
            )
        if not rows:
            self.say("There is no study yet; `manage.py create_study` makes one.")
        return {"studies": rows}, []
