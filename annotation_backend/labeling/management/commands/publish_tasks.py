"""`publish_tasks`: exported slices become Label Studio tasks."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.cases.registration.volumes import select_cases
from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.labeling.predictions.predictions import push_predictions
from annotation_backend.labeling.project.publish import publish, renew_addresses
from annotation_backend.studies.arguments import add_study, study_among
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Makes one task a slice, with predictions; slices that have a task keep it."""

    help = "Publish exported slices as Label Studio tasks, with predictions."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The cases, and options of publishing."""
        parser.add_argument("--case", nargs="+", metavar="CODE", help="only these cases")
        add_study(parser)
        parser.add_argument("--no-predictions", action="store_true", help="publish without drawing")
        parser.add_argument(
            "--renew", action="store_true", help="draw new picture addresses; the old ones stop working"
        )
        parser.add_argument(
            "--replace-unreadable",
            action="store_true",
            help="make tasks anew at which Label Studio fails; their last save is lost there",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be published")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Publishes case by case; one that cannot be published does not stop the rest."""
        rows: list[dict[str, Any]] = []
        findings: list[str] = []
        for case in select_cases(options["case"], study=study_among(options)):
            if options["dry_run"]:
                rows.append({"case": case.code, "pictures": case.slices.count()})
                continue
            try:
                made = publish(case, replace_unreadable=options["replace_unreadable"], findings=findings)
                renewed = renew_addresses(case) if options["renew"] else 0
                drawn = (
                    0
                    if options["no_predictions"]
                    else push_predictions(case, progress=self.progress(f"{case.code}: drawing slice"))
                )
            except RejectedInput as error:
                findings.append(f"{case.code}: {error}")
                continue
            rows.append({"case": case.code, "tasks": made, "predictions": drawn, "renewed": renewed})
            self.say(f"{case.code}: {made} new tasks, {drawn} predictions")
        return {"cases": rows}, findings
