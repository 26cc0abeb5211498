"""`change_protocol`: another version of a study's protocol."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.studies.arguments import add_study, study_of
from annotation_backend.studies.services import change_protocol
from datasets.finding import Finding
from datasets.study.shipped_protocols import protocol_text


class Command(MaskloopCommand):
    """Gives a study a later version of its protocol; one that would orphan drawings is refused."""

    help = "Give a study a later version of its protocol."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the document and the study."""
        parser.add_argument("document", metavar="NAME|FILE", help="the document, its version raised")
        add_study(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Changes the protocol."""
        study = study_of(options)
        findings: list[Finding] = []
        is_changed = change_protocol(study, protocol_text(options["document"]), findings=findings)
        protocol = study.protocol
        self.say(f"{study}: version {protocol.version}{'' if is_changed else ', as before'}")
        document = {"study": study.name, "changed": is_changed, "version": protocol.version, "digest": protocol.digest}
        return document, list(map(str, findings))
