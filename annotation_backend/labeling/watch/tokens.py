"""Our token is a legacy one: where somebody switched those off in Label Studio, they are switched on again."""

import os
import re

import requests
from django.conf import settings

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import email_of
from annotation_backend.environment import password_variable
from annotation_backend.labeling.models import LabelingProject, Subject
from annotation_backend.labeling.studio.client import TOKENS_OFF, call, readable_errors
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
        RejectedInput: It refuses our token for another reason, or the administrator's password (``label-studio-token``,
            ``label-studio-password``).
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
    """As the administrator does it in a browser: the one way that is left without a token."""
    address = settings.LABEL_STUDIO_URL
    with readable_errors(), requests.Session() as browser:
        password = os.environ.get(password_variable(Role.ADMINISTRATOR), "")
        sign_in(browser, email_of(Role.ADMINISTRATOR), password)
        headers = {"X-CSRFToken": browser.cookies.get("csrftoken", ""), "Referer": f"{address}/"}
        wanted = {"legacy_api_tokens_enabled": True, "api_tokens_enabled": True}
        answer = browser.post(f"{address}/api/jwt/settings", json=wanted, headers=headers, timeout=_SECONDS)
        answer.raise_for_status()


def sign_in(browser: requests.Session, email: str, password: str) -> None:
    """Signs in to Label Studio as a person does.

    Raises:
        RejectedInput: Label Studio does not take the password (``label-studio-password``).
    """
    page = f"{settings.LABEL_STUDIO_URL}/user/login/"
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(page, timeout=_SECONDS).text)
    form = {"email": email, "password": password, "csrfmiddlewaretoken": found.group(1) if found else ""}
    answer = browser.post(page, data=form, headers={"Referer": page}, timeout=_SECONDS, allow_redirects=False)
    if answer.status_code != 302:
        raise RejectedInput(
            "label-studio-password",
            "Somebody switched legacy API tokens off in Label Studio, and it refuses the administrator's password from "
            ".env, with which we would switch them on.",
            remedy="Sign in to Label Studio as the administrator and switch legacy tokens on under Organization, API "
            "Tokens Settings.",
        )
