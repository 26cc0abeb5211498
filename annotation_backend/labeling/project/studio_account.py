"""A person's account in Label Studio, made on their way into it where they have none."""

import secrets

from annotation_backend.accounts.models import User
from annotation_backend.labeling.project.people import ensure_people
from annotation_backend.labeling.studio_server.accounts import open_account
from datasets.errors import TryAgain


def ensure_account(person: User) -> None:
    """Gives a person an account in Label Studio who has none; its password is drawn and kept nowhere.

    Raises:
        TryAgain, RejectedInput, ProgramFault: As `accounts.sign_up`; or the account has no number yet
            (``label-studio-account-late``).
    """
    if person.label_studio_id is not None:
        return
    open_account(person, secrets.token_urlsafe(24))
    ensure_people()
    person.refresh_from_db(fields=["label_studio_id"])
    if person.label_studio_id is None:
        raise TryAgain(
            "label-studio-account-late",
            "Your account in Label Studio is not ready.",
            remedy="Try again; if that stays, a data manager looks at the page of findings.",
        )
