"""`pull_annotations`: takes over the saves that a webhook lost."""

from typing import Any

from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.project import ensure_people
from annotation_backend.labeling.upkeep import take_up
from annotation_backend.management.arguments import MaskloopCommand
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Compares Label Studio's annotations with ours; safe to run at any time, and again."""

    help = "Take over annotations that a webhook lost."

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Pulls every project of ours."""
        projects = list(LabelingProject.objects.filter(is_retired=False))
        if not projects:
            raise RejectedInput(
                "no-project", "Nothing was published yet.", remedy="Run `manage.py publish_tasks` first."
            )
        ensure_people()
        totals = {"seen": 0, "stored": 0, "deleted": 0}
        findings = []
        for project in projects:
            report = take_up(project)
            totals = {key: count + getattr(report, key) for key, count in totals.items()}
            findings += report.refused
        self.say("{seen} saves in Label Studio, {stored} were new, {deleted} were deleted there.".format(**totals))
        return totals, findings
