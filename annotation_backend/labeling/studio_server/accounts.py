"""A person's account in Label Studio: signed up, taken over where there is one already, closed, and opened again."""

import json
import re
import subprocess
import sys

import requests
from django.conf import settings

from annotation_backend.accounts.models import User
from annotation_backend.environment import ROOT
from annotation_backend.labeling.studio.answers import record_of
from annotation_backend.labeling.studio.client import CONNECT_SECONDS, call, readable_errors, unless_missing
from annotation_backend.labeling.studio.credentials import door_secret
from annotation_backend.labeling.studio_door import surroundings
from annotation_backend.labeling.studio_server.server import environment, is_ours
from datasets.errors import ProgramFault, RejectedInput, TryAgain
from datasets.finding import Finding, Level

PATIENCE_SECONDS = 120

_SIGN_UP_PATIENCE = (CONNECT_SECONDS, 30.0)

_EXISTS = "email already exists"
"""Label Studio's words under its form."""


def close_account(person: User) -> list[Finding]:
    """Ends a person's account in Label Studio: password, sessions and tokens open nothing there any more.

    Annotations stay, and so does the person as their annotator.

    Returns:
        Findings about what could not be closed from here.

    Raises:
        TryAgain: Label Studio's database or service does not answer.
    """
    if is_ours():
        _inside("close", person.email)
        return []
    return _taken_out_of_organisation(person)


def open_account(person: User, password: str) -> None:
    """Gives a person an account in Label Studio, or opens the one that was closed.

    Raises:
        TryAgain, RejectedInput, ProgramFault: As `sign_up`.
    """
    if is_ours() and _inside("open", person.email, password):
        return
    sign_up(person, password)


def sign_up(person: User, password: str) -> None:
    """Signs a person up through the invitation link, the one way that gives an organisation and a working password.

    Where the address has an account already, which anybody in Label Studio can make for anybody, it is taken over: it
    gets the organisation, the password, and a new token.

    Raises:
        TryAgain: Label Studio does not answer.
        RejectedInput: The address has an account in a Label Studio whose database is not ours to open
            (``label-studio-account``).
        ProgramFault: Label Studio does not accept the account.
    """
    link = settings.LABEL_STUDIO_URL + record_of(call("GET", "/api/invite"), invite_url=str)["invite_url"]
    with readable_errors(), requests.Session() as browser:
        browser.headers[surroundings.HEADER] = door_secret()
        answer = _sent_form(browser, link, person.email, password)
    if answer.status_code == 302:
        return
    if _EXISTS not in answer.text:
        raise ProgramFault(
            "label-studio-signup",
            f"Label Studio did not accept a new account (status {answer.status_code}).",
            remedy="Is the address whole, and no longer than 100 letters? Otherwise report it.",
        )
    if not (is_ours() and _inside("open", person.email, password)):
        raise _elsewhere()


def _sent_form(browser: requests.Session, link: str, email: str, password: str) -> requests.Response:
    page = browser.get(link, timeout=_SIGN_UP_PATIENCE)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    if token is None:
        raise ProgramFault("label-studio-signup", "Label Studio's sign-up page has changed.", remedy="Report it.")
    form = {
        "email": email,
        "password": password,
        "csrfmiddlewaretoken": token.group(1),
        "allow_newsletters": "false",
    }
    return browser.post(link, data=form, headers={"Referer": link}, timeout=_SIGN_UP_PATIENCE, allow_redirects=False)


def _elsewhere() -> RejectedInput:
    return RejectedInput(
        "label-studio-account",
        "Somebody made an account for this address in Label Studio before, outside our organisation; its database is "
        "not on this machine, so we cannot take the account over.",
        remedy="On Label Studio's machine run `label-studio init --quiet --username ADDRESS` and `label-studio "
        "reset_password --username ADDRESS --password PASSWORD`; or add the person with another address.",
    )


def _inside(action: str, email: str, password: str = "") -> bool:
    """Has Label Studio's own code change an account; whether there is one."""
    words = json.dumps({"action": action, "email": email, "password": password})
    try:
        done = subprocess.run(
            [sys.executable, "-m", "annotation_backend.labeling.studio_server.inside_label_studio"],
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
    """Takes a person out of the organisation: another machine's Label Studio lets us do no more."""
    if person.label_studio_id is not None:
        user = record_of(call("GET", f"/api/users/{person.label_studio_id}/"))
        organisation = user.get("active_organization")
        unless_missing("DELETE", f"/api/organizations/{organisation}/memberships/{person.label_studio_id}/")
    message = "Label Studio runs elsewhere: the person is out of its organisation, but password and tokens live on."
    remedy = "Have its administrator set the account to inactive (Django's `is_active`)."
    return [Finding(Level.WARNING, "label-studio-account-open", message, remedy)]
