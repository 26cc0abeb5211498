"""`pull_annotations`: takes over saves whose webhook was lost, once or again and again."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.upkeep import keep_up, look_around, look_over, take_up
from annotation_backend.labeling.watch.tokens import ensure_tokens
from annotation_backend.studies.arguments import add_study_of_projects, study_said
from annotation_backend.supervision.presence import Part, present
from datasets.errors import RejectedInput

SHORTEST_SECONDS = 1.0


class Command(MaskloopCommand):
    """Compares Label Studio's annotations with ours; safe to run at any time, and again."""

    help = "Take over annotations whose webhook was lost, and queue jobs again that a stopped worker left undone."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds whether to pull once, or for as long as the service runs."""
        parser.add_argument(
            "--every",
            type=float,
            metavar="SECONDS",
            help="go on until stopped; most rounds ask only for what Label Studio changed since the last",
        )
        add_study_of_projects(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Pulls every project of ours, or that of one study."""
        study = study_said(options)
        if options["every"] is not None:
            if study is not None:
                raise RejectedInput(
                    "study-with-every", "The reconciler takes over all studies.", remedy="Leave --study or --every out."
                )
            with present(Part.RECONCILER):
                keep_up(max(SHORTEST_SECONDS, options["every"]), tell=self.say)
        ours = LabelingProject.objects.all() if study is None else LabelingProject.objects.filter(study=study)
        findings = [*ensure_tokens(), *look_around()] if ours.exists() else []
        projects = list(ours.filter(is_retired=False))
        if not projects:
            raise RejectedInput(
                "no-project",
                "There is no project of ours in Label Studio.",
                remedy="Run `manage.py publish_tasks` first.",
            )
        totals = {"seen": 0, "stored": 0, "deleted": 0}
        for project in projects:
            report = take_up(project)
            totals = {key: count + getattr(report, key) for key, count in totals.items()}
            findings += [*report.refused, *look_over(project)]
        self.say("{seen} saves in Label Studio, {stored} were new, {deleted} were deleted there.".format(**totals))
        return totals, findings
