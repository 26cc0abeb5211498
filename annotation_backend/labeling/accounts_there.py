"""People's accounts in Label Studio: signed up as they would do it, or taken over where their address has one."""

import logging
import re
import subprocess
import sys

import requests
from django.conf import settings

from annotation_backend.accounts.models import User
from annotation_backend.environment import ROOT
from annotation_backend.labeling import server
from annotation_backend.labeling.client import call, readable_errors
from datasets.errors import ProgramFault, RejectedInput

logger = logging.getLogger(__name__)

_EXISTS = "email already exists"
"""Label Studio's words under its form."""


def sign_up(user: User, password: str) -> None:
    """Signs a person up through the invitation link, the one way that gives an organisation and a working password.

    Where the address has an account already, which anybody in Label Studio can make for anybody, it is taken over: it
    gets the organisation, the password, and a new token.

    Raises:
        TryAgain: Label Studio does not answer.
        RejectedInput: The address has an account in a Label Studio that is not on this machine
            (``label-studio-account``).
        ProgramFault: It does not accept the account.
    """
    link = settings.LABEL_STUDIO_URL + call("GET", "/api/invite")["invite_url"]
    with readable_errors(), requests.Session() as browser:
        answer = _answer(browser, link, user.email, password)
    if answer.status_code == 302:
        return
    if _EXISTS in answer.text:
        take_over(user.email, password)
        return
    raise ProgramFault(
        "label-studio-signup",
        f"Label Studio did not accept a new account (status {answer.status_code}).",
        remedy="Is the address whole, and no longer than 100 letters? Otherwise report it.",
    )


def take_over(email: str, password: str) -> None:
    """Gives an account that is there already its place in the organisation, a password and a new token.

    Raises:
        RejectedInput: Label Studio's database is not ours to open (``label-studio-account``).
    """
    if not server.is_ours():
        raise _elsewhere()
    done = subprocess.run(
        [sys.executable, "-m", "annotation_backend.labeling.label_studio_account"],
        input=f"{email}\n{password}\n",
        env=server.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        logger.warning("Label Studio's account was not taken over: status %d", done.returncode)
        raise _elsewhere()


def _answer(browser: requests.Session, link: str, email: str, password: str) -> requests.Response:
    page = browser.get(link, timeout=30)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    if token is None:
        raise ProgramFault("label-studio-signup", "Label Studio's sign-up page has changed.", remedy="Report it.")
    form = {
        "email": email,
        "password": password,
        "csrfmiddlewaretoken": token.group(1),
        "allow_newsletters": "false",
    }
    return browser.post(link, data=form, headers={"Referer": link}, timeout=30, allow_redirects=False)


def _elsewhere() -> RejectedInput:
    return RejectedInput(
        "label-studio-account",
        "Expected an address without an account in Label Studio, got one that somebody made before, outside our "
        "organisation; its database is not on this machine, so we cannot take it over.",
        remedy="On Label Studio's machine run `label-studio init --quiet --username ADDRESS` and `label-studio "
        "reset_password --username ADDRESS --password PASSWORD`; or add the person with another address.",
    )
