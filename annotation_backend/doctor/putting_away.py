"""The rehearsal's records, files and tasks go away again."""

import shutil
from contextlib import suppress

from django.db import transaction

from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import Annotation, CaseMask, DeletionAsked, LabelingTask
from annotation_backend.labeling.studio.client import call
from annotation_backend.review.models import Review
from annotation_backend.stages.flow import forget_stages
from datasets.errors import MaskloopError


def put_away_rehearsals() -> None:
    """Removes the rehearsal's records and files, and its tasks in Label Studio where that answers."""
    for case in Case.objects.filter(is_rehearsal=True):
        tasks = LabelingTask.objects.filter(case=case)
        identifiers = list(tasks.values_list("label_studio_id", flat=True))
        with transaction.atomic():
            saves = Annotation.objects.filter(task__in=tasks)
            for project, identifier in set(saves.values_list("project", "label_studio_id")):
                DeletionAsked.objects.filter(project=project, label_studio_id=identifier).delete()
            Review.objects.filter(mask__case=case).delete()
            CaseMask.objects.filter(case=case).delete()
            saves.discard_rehearsals()
            tasks.delete()
            patient = case.patient
            forget_stages(case)
            case.delete()
            if not patient.cases.exists():
                patient.delete()
        shutil.rmtree(case.folder, ignore_errors=True)
        for identifier in identifiers:
            with suppress(MaskloopError):
                call("DELETE", f"/api/tasks/{identifier}/")
