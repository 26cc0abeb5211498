"""`list_studies`: the studies of this installation."""

from collections import Counter
from typing import Any

from annotation_backend.cases.models import Case
from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.labeling.project.project import current_project
from annotation_backend.studies.models import Study


class Command(MaskloopCommand):
    """Lists each study with its protocol, and how many cases and people it has."""

    help = "List the studies with their protocols, cases, people and projects in Label Studio."

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Lists them."""
        rows = [_row(study) for study in Study.objects.all()]
        for row in rows:
            project = row["label_studio_project"]
            self.say(f"{row['study']}: {row['title']} ({row['protocol']} {row['version']})")
            shown = f"project {project} in Label Studio" if project else "no project in Label Studio yet"
            self.say(f"  {row['cases']} case(s), {sum(row['people'].values())} person(s), {shown}")
        if not rows:
            self.say("There is no study yet; `manage.py create_study` makes one.")
        return {"studies": rows}, []


def _row(study: Study) -> dict[str, Any]:
    protocol, project = study.protocol, current_project(study)
    roles = study.memberships.filter(person__is_active=True).values_list("role", flat=True)
    return {
        "study": study.name,
        "protocol": protocol.name,
        "version": protocol.version,
        "title": protocol.title,
        "digest": protocol.digest,
        "images": list(protocol.roles),
        "labels": [label.name for label in protocol.labels],
        "cases": Case.objects.in_use().filter(study=study).count(),
        "people": dict(sorted(Counter(roles).items())),
        "label_studio_project": project.label_studio_id if project else None,
    }
