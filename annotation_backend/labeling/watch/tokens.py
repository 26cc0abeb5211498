"""Our token is a legacy one: where somebody switched those off in Label Studio, they are switched on again."""

import requests
from django.conf import settings

from annotation_backend.labeling.models import LabelingProject, Subject
from annotation_backend.labeling.studio.client import TOKENS_OFF, call, readable_errors
from annotation_backend.labeling.studio.credentials import door_secret
from annotation_backend.labeling.studio_door import surroundings
from annotation_backend.labeling.watch.difference import Difference
from annotation_backend.labeling.watch.record import keep, mark_mended
from datasets.errors import RejectedInput

_SWITCHED_OFF = Difference(Subject.TOKENS, "legacy tokens were switched off")

_SECONDS = 30


def ensure_tokens() -> list[str]:
    """Tries our token, and switches legacy tokens on again where they are off, which is recorded.

    Returns:
        One line where they had been switched off.

    Raises:
        TryAgain: Label Studio does not answer.
        RejectedInput: It refuses our token for another reason (``label-studio-token``).
    """
    try:
        call("GET", "/api/current-user/whoami")
    except RejectedInput as error:
        if error.code != TOKENS_OFF:
            raise
        _switch_on()
        project = LabelingProject.objects.filter(is_retired=False).order_by("pk").last()
        if project is not None:
            mark_mended(keep(project, [_SWITCHED_OFF]))
        return [f"{error.message} They are on again, see the page of findings. [{TOKENS_OFF}]"]
    return []


def _switch_on() -> None:
    """By the door's own secret: the one way that is left without a token."""
    address = f"{settings.LABEL_STUDIO_URL}/maskloop/tokens"
    with readable_errors():
        answer = requests.post(address, headers={surroundings.HEADER: door_secret()}, timeout=_SECONDS)
        answer.raise_for_status()
