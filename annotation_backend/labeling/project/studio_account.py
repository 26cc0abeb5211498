"""A person's account in Label Studio, made on their way into it where they have none."""

import requests
from django.conf import settings
from django.utils import timezone

from annotation_backend.accounts.models import User
from annotation_backend.labeling.project.people import note_number
from annotation_backend.labeling.studio.answers import record_of
from annotation_backend.labeling.studio.client import readable_errors
from annotation_backend.labeling.studio.credentials import door_secret
from annotation_backend.labeling.studio_door import surroundings
from datasets.errors import TryAgain

_SECONDS = 10


def ensure_account(person: User) -> None:
    """Gives a person an account in Label Studio who has none; no password opens it.

    Raises:
        TryAgain, RejectedInput, ProgramFault: As `readable_errors`; or the account is another person's here
            (``label-studio-number``).
    """
    if person.label_studio_id is not None:
        return
    address = f"{settings.LABEL_STUDIO_URL}/maskloop/accounts"
    with readable_errors():
        answer = requests.post(
            address, json={"email": person.email}, headers={surroundings.HEADER: door_secret()}, timeout=_SECONDS
        )
        answer.raise_for_status()
        number = record_of(answer.json(), id=int)["id"]
    User.objects.filter(pk=person.pk).update(draws_since=timezone.now())  # the address may have had an account before
    if note_number(person, {person.email.lower(): number}) is not None:
        raise TryAgain(
            "label-studio-number",
            "The account under your address in Label Studio is somebody else's here.",
            remedy="Tell a data manager, who looks at the page of findings.",
        )
    person.refresh_from_db(fields=["label_studio_id", "draws_since"])
