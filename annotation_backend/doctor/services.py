"""Links of the running services: the web service, Label Studio, the models, and their passwords and tokens."""

from django.conf import settings

from annotation_backend.doctor.examination import ask
from annotation_backend.labeling.interface.project_settings import answering_model
from annotation_backend.labeling.models import TASK_GONE, LabelingProject
from annotation_backend.labeling.studio.answers import rows_of
from annotation_backend.labeling.studio.client import call
from annotation_backend.labeling.studio.credentials import basic_auth, ml_backend_url, webhook_headers
from annotation_backend.labeling.watch.services import look, settle
from annotation_backend.registry.model_registry import serving_model
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.registry.study_fit import fit_in
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput, TryAgain

WEBHOOK_REMEDY = "`manage.py publish_tasks` sets it up again; where this run could publish, it did."

_MOST_TOLD = 8

ASKED_FOR = (PromptKind.AUTOMATIC, PromptKind.BOX, PromptKind.POINT)
"""Kinds of prompt that every annotator's tools send."""

_NOTHING_HAPPENED = {"action": "MASKLOOP_DOCTOR"}
"""A webhook's body that we take and do nothing with."""


def web_service() -> None:
    """The web service answers at the address that people and Label Studio are given."""
    if not ask("GET", f"{settings.MASKLOOP_URL}/alive", who="The web service").ok:
        raise TryAgain("web-down", "The web service answers with an error.", remedy="See data/logs/web.log.")


def label_studio() -> None:
    """Label Studio answers."""
    if not ask("GET", f"{settings.LABEL_STUDIO_URL}/health", who="Label Studio").ok:
        raise TryAgain(
            "label-studio-error", "Label Studio answers with an error.", remedy="See data/logs/label_studio.log."
        )


def token() -> None:
    """Label Studio takes our token."""
    call("GET", "/api/current-user/whoami")


def models() -> None:
    """Each kind of prompt that annotators' tools send has a model with whole files, in each study that one fits."""
    living = LabelingProject.objects.filter(is_retired=False).select_related("study").order_by("pk")
    projects = {project.study_id: project for project in living}
    asked = [(study, kind) for study in Study.objects.all() if study.protocol.prompted_labels for kind in ASKED_FOR]
    for study, kind in asked:
        model = expected_model(study, kind, projects.get(study.pk))
        if model is not None and not (model.path / "model.json").is_file():
            raise RejectedInput(
                "model-gone",
                f"The files of {model} are gone.",
                remedy="Bring the data folder back, or promote another model with `manage.py promote_model`.",
            )


def expected_model(study: Study, kind: PromptKind, project: LabelingProject | None) -> Model | None:
    """The model that answers a kind of prompt in a study; None where no registered one fits it, as its page says.

    Raises:
        RejectedInput: None serves, and one could (``no-serving-model``); or the one that serves cannot be loaded.
    """
    try:
        return serving_model(kind, study) if project is None else answering_model(project, kind)
    except RejectedInput as error:
        if error.code not in ("no-serving-model", "no-prompted-label") or _might_serve(study, kind):
            raise
        return None


def _might_serve(study: Study, kind: PromptKind) -> bool:
    """Whether a study's prompts of a kind could have a model: one that is registered fits, or none is registered."""
    able = [model for model in Model.objects.all() if kind in model.prompt_kinds]
    return bool(study.protocol.prompted_labels) and (
        not able or any(fit_in(model, study.protocol).is_sure for model in able)
    )


def ml_backend_password() -> None:
    """The ML backend answers Label Studio's password and no other."""
    address = f"{ml_backend_url()}/health"
    _require_closed(ask("GET", address, who="The web service").status_code, what="ML backend")
    wrong = ask("GET", address, who="The web service", headers={"Authorization": "Basic d3Jvbmc6d3Jvbmc="})
    _require_closed(wrong.status_code, what="ML backend")
    right = ask("GET", address, who="The web service", headers={"Authorization": basic_auth()})
    if not right.ok:
        raise _refused(right.status_code, what="ML backend")


def webhook_header() -> None:
    """The webhook takes requests with its header and refuses all others, so that a save cannot be forged."""
    address = f"{ml_backend_url()}/webhook"
    wrong = {name: "0" * len(value) for name, value in webhook_headers().items()}
    for headers in ({}, wrong):
        answer = ask("POST", address, who="The web service", headers=headers, json=_NOTHING_HAPPENED)
        _require_closed(answer.status_code, what="webhook")
    right = ask("POST", address, who="The web service", headers=webhook_headers(), json=_NOTHING_HAPPENED)
    if not right.ok:
        raise _refused(right.status_code, what="webhook")


def webhook_in_label_studio(project: LabelingProject) -> None:
    """Label Studio has our webhook, switched on, for everything, with the header that we take."""
    found = rows_of(call("GET", "/api/webhooks/", params={"project": project.label_studio_id}), url=str)
    ours = next((hook for hook in found if hook["url"] == f"{ml_backend_url()}/webhook"), None)
    if ours is None:
        raise RejectedInput("webhook-missing", "Label Studio has no webhook to us.", remedy=WEBHOOK_REMEDY)
    if not ours.get("is_active", True):
        raise RejectedInput("webhook-off", "Our webhook is switched off in Label Studio.", remedy=WEBHOOK_REMEDY)
    if not ours.get("send_for_all_actions", True):
        raise RejectedInput(
            "webhook-partial",
            "Our webhook is not sent for all actions.",
            remedy=WEBHOOK_REMEDY,
        )
    if not ours.get("send_payload", True):
        raise RejectedInput("webhook-empty", "Our webhook is sent without its content.", remedy=WEBHOOK_REMEDY)
    if ours.get("headers") != webhook_headers():
        raise RejectedInput("webhook-header", "Our webhook has another header there.", remedy=WEBHOOK_REMEDY)


def ml_backend_in_label_studio(project: LabelingProject) -> None:
    """Label Studio knows our ML backend, for prompts too, and reaches it."""
    found = rows_of(call("GET", "/api/ml", params={"project": project.label_studio_id}), url=str)
    ours = next((one for one in found if one["url"].rstrip("/") == ml_backend_url()), None)
    if ours is None:
        raise RejectedInput(
            "ml-backend-missing",
            "Label Studio does not know our ML backend.",
            remedy=WEBHOOK_REMEDY,
        )
    if not ours.get("is_interactive"):
        raise RejectedInput(
            "ml-backend-silent",
            "Our ML backend is not asked when annotators prompt.",
            remedy=WEBHOOK_REMEDY,
        )
    if ours.get("state") != "CO":
        raise TryAgain(
            "ml-backend-unreached",
            f"Label Studio does not reach our ML backend (state {str(ours.get('state'))[:4]}).",
            remedy="Can Label Studio's machine open ML_BACKEND_URL (or MASKLOOP_URL, where that is not set)? Where "
            "ML_BACKEND_PASSWORD was changed, `manage.py pull_annotations` tells Label Studio.",
        )


def shown_in_label_studio(project: LabelingProject) -> None:
    """Label Studio has what we left there: interface, settings, connections, and each task's pictures, words and mask.

    Differences are told first, and then recorded and mended.
    """
    found = look(project)
    if not found:
        return
    kinds = list(dict.fromkeys(f"{one.subject.label}, {one.name}" for one in found))
    more = f" and {len(kinds) - _MOST_TOLD} kinds more" if len(kinds) > _MOST_TOLD else ""
    settle(project)
    gone = any(one.name == TASK_GONE for one in found)
    raise RejectedInput(
        "studio-changed",
        f"Label Studio differs in {len(found)} place(s) from what we left: {'; '.join(kinds[:_MOST_TOLD])}{more}.",
        remedy=(
            "Run `manage.py publish_tasks`, which makes deleted tasks anew. What else differed was"
            if gone
            else "They were"
        )
        + " mended now. See on the page of findings what was drawn meanwhile, and run this again.",
    )


def _require_closed(status: int, *, what: str) -> None:
    if status != 401:
        raise RejectedInput(
            f"{what.replace(' ', '-').lower()}-open",
            f"The {what} does not refuse a request without its password: expected status 401, got {status}.",
            remedy="Does a proxy add a password, or answer for us? Let it pass requests on as they are.",
        )


def _refused(status: int, *, what: str) -> RejectedInput:
    return RejectedInput(
        f"{what.replace(' ', '-').lower()}-refuses",
        f"The {what} refuses its own password (status {status}).",
        remedy="Was .env changed after `make up`? Restart. Does a proxy drop headers? Let it pass them on.",
    )
