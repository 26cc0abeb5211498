"""`restore_annotation`: a version of a slice, written back to Label Studio."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.accounts.models import User
from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.labeling.versions.versions import restore, task_of_slice, version_of
from annotation_backend.studies.arguments import add_study_of_code, study_said
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Makes an earlier version the newest; nothing that came between is lost."""

    help = "Write a version of a slice back to Label Studio; `compare_annotations` lists them."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the version, and the person who restores it."""
        parser.add_argument("case", help="the case's code")
        parser.add_argument("slice", type=int, help="the slice's index")
        parser.add_argument("version", type=int, help="the version's number")
        parser.add_argument("--person", required=True, metavar="EMAIL", help="who restores it; stays written down")
        add_study_of_code(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say what would be restored")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Finds the version and restores it."""
        task = task_of_slice(options["case"], options["slice"], study=study_said(options))
        version = version_of(task, options["version"])
        person = User.objects.filter(username=options["person"]).first()
        if person is None:
            raise RejectedInput(
                "person-unknown", "Nobody has that address.", remedy="Give the address the person signs in with."
            )
        if options["dry_run"]:
            self.say(f"Would restore {version}.")
            return {"source": version.number, "result": None}, []
        made = restore(version, person=person).result
        number = made.number if made else None
        self.say(f"{version} is back in Label Studio, as version {number}.")
        return {"source": version.number, "result": number}, []
