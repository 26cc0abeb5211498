"""`create_study`: a dataset in the making, with its protocol."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.studies.services import create_study
from datasets.study.shipped_protocols import protocol_text, shipped_names


class Command(MaskloopCommand):
    """Makes a study; its people are added with `add_person`, its cases with `ingest_studies`."""

    help = "Make a study with its protocol."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the name and the protocol."""
        parser.add_argument("name", help="small letters, digits and hyphens; part of its addresses")
        parser.add_argument(
            "--protocol",
            required=True,
            metavar="NAME|FILE",
            help=f"a protocol that comes along ({', '.join(shipped_names())}) or a document of yours",
        )

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Makes the study."""
        study = create_study(options["name"], protocol_text(options["protocol"]))
        protocol = study.protocol
        self.say(f"{study}: {protocol.title} ({protocol.name} {protocol.version})")
        return {"study": study.name, "protocol": protocol.name, "digest": protocol.digest}, []
