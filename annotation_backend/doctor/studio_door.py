"""Label Studio's door: it stands, it knows us by our secret, and it reaches us."""

from django.conf import settings

from annotation_backend.doctor.examination import ask
from annotation_backend.labeling.studio.credentials import door_secret
from annotation_backend.labeling.studio_door.refusals import NOT_SIGNED_IN, SILENT, TICKET_USED
from annotation_backend.labeling.studio_door.tickets import START, Ticket, sealed
from datasets.errors import RejectedInput, TryAgain


def door() -> None:
    """Who comes without a ticket is refused, and one of ours that is used up already is known as such."""
    if _code("/api/current-user/whoami") != NOT_SIGNED_IN:
        raise RejectedInput(
            "door-open",
            "Label Studio has no door: everybody with an account there may do everything.",
            remedy="Start it by `make up` or `manage.py run_label_studio` with this .env, not by `label-studio start`.",
        )
    code = _code(f"/maskloop/enter?ticket={sealed(Ticket('doctor', 0, START), door_secret())}")
    if code == SILENT:
        raise TryAgain(
            "door-silent",
            "Label Studio does not reach Maskloop, so nobody comes in there.",
            remedy="Is ML_BACKEND_URL in .env the address at which Label Studio's machine reaches our web service?",
        )
    if code != TICKET_USED:
        raise RejectedInput(
            "door-secret",
            "Label Studio's door does not know our tickets.",
            remedy="Start Label Studio again: MASKLOOP_SECRET_KEY in .env is another one since.",
        )


def _code(path: str) -> object:
    """The code of the door's refusal; None where it is no refusal of its."""
    answer = ask("GET", settings.LABEL_STUDIO_URL + path, who="Label Studio", allow_redirects=False)
    try:
        found = answer.json()
    except ValueError:
        return None
    return found.get("code") if isinstance(found, dict) else None
