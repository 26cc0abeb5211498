"""Jobs: slices are embedded before anyone prompts. Each is safe to run twice."""

import logging

from django_tasks import task

from annotation_backend.cases.models import Case
from annotation_backend.inference.serving.preparing import prepare_case

logger = logging.getLogger(__name__)

PORTION_SECONDS = 5.0
"""After this long an embedding job gives the worker to other jobs, and queues itself again."""

AFTER_ALL_OTHERS = -50
"""Priority of a job that only makes later clicks quicker."""


@task(priority=AFTER_ALL_OTHERS)
def embed_case(*, case_code: str) -> int:
    """Embeds some of a case's slices; the next portion is a job of its own. Returns how many slices are left."""
    case = Case.objects.select_related("study").filter(code=case_code).first()
    if case is None or case.exclusion is not None or not case.is_registered or case.picture_plane is None:
        logger.warning("%s is gone, excluded or without pictures; there is nothing to embed", case_code)
        return 0
    left = prepare_case(case, seconds=PORTION_SECONDS)
    if left:
        embed_case.enqueue(case_code=case_code)
    return left
