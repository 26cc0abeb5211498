"""`change_protocol`: another version of a study's protocol."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.studies.arguments import add_study, study_of
from annotation_backend.studies.services import FinishedCases, change_protocol
from datasets.finding import Finding
from datasets.study.shipped_protocols import protocol_text


class Command(MaskloopCommand):
    """Gives a study a later version of its protocol; one that would orphan drawings is refused."""

    help = "Give a study a later version of its protocol."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the document and the study."""
        parser.add_argument("document", metavar="NAME|FILE", help="the document, its version raised")
        parser.add_argument(
            "--finished",
            choices=[one.value for one in FinishedCases],
            help="finished cases that were never in a stage which it adds: leave them so, or open the stage for them",
        )
        add_study(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Changes the protocol."""
        study = study_of(options)
        findings: list[Finding] = []
        finished = FinishedCases(options["finished"]) if options["finished"] else None
        document = protocol_text(options["document"])
        is_changed = change_protocol(study, document, finished=finished, findings=findings)
        protocol = study.protocol
        self.say(f"{study}: version {protocol.version}{'' if is_changed else ', as before'}")
        told = {"study": study.name, "changed": is_changed, "version": protocol.version, "digest": protocol.digest}
        return told, list(map(str, findings))
