"""A person's account in Label Studio when the person leaves, and when they come back."""

import json
import subprocess
import sys

from django.conf import settings

from annotation_backend.accounts.models import User
from annotation_backend.environment import ROOT
from annotation_backend.labeling.client import call
from annotation_backend.labeling.project import sign_up
from annotation_backend.labeling.server import data_folder, environment
from datasets.errors import RejectedInput, TryAgain
from datasets.finding import Finding, Level

DATABASE = "label_studio.sqlite3"

PATIENCE_SECONDS = 120


def close_account(person: User) -> list[Finding]:
    """Ends a person's account in Label Studio: password, sessions and tokens open nothing there any more.

    Drawings stay, and so does the person as their author.

    Returns:
        What could not be closed from here.

    Raises:
        TryAgain: Label Studio's database or service does not answer.
    """
    if is_here():
        _inside("close", person.email)
        return []
    return _taken_out_of_organisation(person)


def open_account(person: User, password: str) -> None:
    """Gives a person an account in Label Studio, or opens the one that was closed.

    Raises:
        TryAgain: Label Studio does not answer.
        ProgramFault: It does not accept the account.
    """
    if is_here() and _inside("open", person.email, password):
        return
    sign_up(person, password)


def is_here() -> bool:
    """Whether the Label Studio is the one that `up` starts, whose database we may open."""
    return bool(settings.LABEL_STUDIO_DATABASE_URL) or (data_folder() / DATABASE).exists()


def _inside(wish: str, email: str, password: str = "") -> bool:
    """Has Label Studio's own code change an account; whether there is one."""
    words = json.dumps({"wish": wish, "email": email, "password": password})
    try:
        done = subprocess.run(
            [sys.executable, "-m", "annotation_backend.labeling.inside_label_studio"],
            input=words,
            env=environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        )
    except subprocess.SubprocessError as error:
        raise TryAgain(
            "label-studio-accounts",
            "Label Studio's accounts could not be reached.",
            remedy="Is its database there (see data/logs/label_studio.log)? Then run the same command again.",
        ) from error
    return bool(json.loads(done.stdout.splitlines()[-1])["found"])


def _taken_out_of_organisation(person: User) -> list[Finding]:
    """All that another machine's Label Studio lets us do."""
    if person.label_studio_id is not None:
        organisation = call("GET", f"/api/users/{person.label_studio_id}/")["active_organization"]
        try:
            call("DELETE", f"/api/organizations/{organisation}/memberships/{person.label_studio_id}/")
        except RejectedInput as error:
            if error.code != "label-studio-missing":
                raise
    message = "Label Studio runs elsewhere: the person is out of its organisation, but password and tokens live on."
    remedy = "Have its administrator set the account to inactive (Django's `is_active`)."
    return [Finding(Level.WARNING, "label-studio-account-open", message, remedy)]
