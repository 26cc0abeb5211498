"""Our project in Label Studio: made once, with its ML backend, its webhook and its tabs; and accounts there."""

import base64
import re
from typing import Any

import requests
from django.conf import settings

from annotation_backend.accounts.models import User
from annotation_backend.labeling.answers import record_of, rows_of
from annotation_backend.labeling.client import CONNECT_SECONDS, call, readable_errors
from annotation_backend.labeling.editor import bring_interface_up_to_date
from annotation_backend.labeling.interface import instruction, label_config
from annotation_backend.labeling.living import is_gone, remember, retire
from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.project_settings import keep_settings, last_settings
from annotation_backend.labeling.tabs import ensure_tabs
from annotation_backend.labeling.webhook_secret import webhook_headers
from datasets.errors import ProgramFault

TITLE = "Maskloop: tumours on MRI"
BACKEND_TITLE = "Maskloop models"

_SIGN_UP_PATIENCE = (CONNECT_SECONDS, 30.0)


def ensure_project() -> LabelingProject:
    """The project with everything connected; what is there already is left as it is.

    Raises:
        TryAgain: Label Studio does not answer.
        RejectedInput: It refuses our token, or our account there does not see the organisation that the project is in
            (``label-studio-organisation``).
    """
    project = current_project()
    if project is not None and is_gone(project):
        retire(project)
        project = None
    if project is None:
        project = _create_project()
    else:
        bring_interface_up_to_date(project)
    _ensure_ml_backend(project)
    _ensure_webhook_header(project)
    ensure_tabs(project)
    return project


def current_project() -> LabelingProject | None:
    """The project that is used now; None where nothing was published yet."""
    return LabelingProject.objects.filter(is_retired=False).order_by("pk").last()


def basic_auth() -> str:
    """The Authorization header with which Label Studio comes to us."""
    pair = f"{settings.ML_BACKEND_USER}:{settings.ML_BACKEND_PASSWORD}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def ml_backend_url() -> str:
    """Where Label Studio finds our ML backend; its webhook is this plus ``/webhook``."""
    return f"{settings.MASKLOOP_URL}/ml"


def _create_project() -> LabelingProject:
    settings_now = last_settings()
    body = {
        "title": TITLE,
        "label_config": label_config(settings_now.mask_format, has_oedema=settings_now.has_oedema),
        "expert_instruction": instruction(),
        "show_instruction": False,
        "show_skip_button": True,
        "show_collab_predictions": True,
        "enable_empty_annotation": True,
        "maximum_annotations": 1,
    }
    created = record_of(call("POST", "/api/projects/", json=body), id=int)
    project = LabelingProject.objects.create(label_studio_id=created["id"], title=TITLE)
    remember(project)
    keep_settings(project, settings_now, person=None)
    return project


def _ensure_ml_backend(project: LabelingProject) -> None:
    backends = rows_of(call("GET", "/api/ml", params={"project": project.label_studio_id}), id=int, url=str)
    ours = next((b for b in backends if b["url"].rstrip("/") == ml_backend_url()), None)
    if ours is None:
        ours = record_of(call("POST", "/api/ml", json=_ml_backend(project)), id=int)
    elif not ours.get("is_interactive"):
        call("PATCH", f"/api/ml/{ours['id']}", json=_ml_backend(project))
    if project.ml_backend_id != ours["id"]:
        project.ml_backend_id = ours["id"]
        project.save(update_fields=["ml_backend_id"])


def _ml_backend(project: LabelingProject) -> dict[str, Any]:
    """Our ML backend as Label Studio takes it; a change needs all of it too, or it fails there."""
    return {
        "url": ml_backend_url(),
        "project": project.label_studio_id,
        "title": BACKEND_TITLE,
        "is_interactive": True,
        "auth_method": "BASIC_AUTH",
        "basic_auth_user": settings.ML_BACKEND_USER,
        "basic_auth_pass": settings.ML_BACKEND_PASSWORD,
    }


def _ensure_webhook_header(project: LabelingProject) -> None:
    """Label Studio makes the webhook together with the backend, but without its secret."""
    url = f"{ml_backend_url()}/webhook"
    hooks = rows_of(call("GET", "/api/webhooks/", params={"project": project.label_studio_id}), id=int, url=str)
    ours = next((hook for hook in hooks if hook["url"] == url), None)
    wanted = {
        "headers": webhook_headers(),
        "is_active": True,
        "send_payload": True,
        "send_for_all_actions": True,
    }
    if ours is None:
        call("POST", "/api/webhooks/", json={"url": url, "project": project.label_studio_id, **wanted})
    elif any(ours.get(name) != value for name, value in wanted.items()):
        call("PATCH", f"/api/webhooks/{ours['id']}/", json=wanted)


def sign_up(user: User, password: str) -> None:
    """Signs a person up through the invitation link, the one way that gives an organisation and a working password.

    Raises:
        TryAgain: Label Studio does not answer.
        ProgramFault: It does not accept the account.
    """
    invitation = record_of(call("GET", "/api/invite"), invite_url=str)
    link = settings.LABEL_STUDIO_URL + invitation["invite_url"]
    with readable_errors(), requests.Session() as browser:
        page = browser.get(link, timeout=_SIGN_UP_PATIENCE)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        if token is None:
            raise ProgramFault("label-studio-signup", "Label Studio's sign-up page has changed.", remedy="Report it.")
        form = {
            "email": user.email,
            "password": password,
            "csrfmiddlewaretoken": token.group(1),
            "allow_newsletters": "false",
        }
        answer = browser.post(
            link, data=form, headers={"Referer": link}, timeout=_SIGN_UP_PATIENCE, allow_redirects=False
        )
        if answer.status_code != 302:
            raise ProgramFault(
                "label-studio-signup",
                f"Label Studio did not accept a new account (status {answer.status_code}).",
                remedy="Invite the person in Label Studio by hand (Organization, Add People) and run this again.",
            )
