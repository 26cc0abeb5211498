"""ML backends: ours and no other answers prompts, and our password goes to our address only."""

import logging
from collections.abc import Sequence

from django.conf import settings

from annotation_backend.labeling.models import LabelingProject, Secret, Subject
from annotation_backend.labeling.studio.answers import Row, record_of, rows_of
from annotation_backend.labeling.studio.client import call, unless_missing
from annotation_backend.labeling.studio.credentials import (
    former_ml_backend_urls,
    ml_backend_password,
    ml_backend_url,
    renew,
)
from annotation_backend.labeling.studio.task_data import digest_of
from annotation_backend.labeling.watch.difference import Difference
from datasets.errors import ProgramFault, TryAgain

logger = logging.getLogger(__name__)

BACKEND_TITLE = "Maskloop models"

FOREIGN = "another backend beside ours"
ELSEWHERE = "ours at another address"

_CONNECTED = "CO"


def differences(project: LabelingProject) -> list[Difference]:
    """Backends that are not ours, and changes of ours."""
    rows = _rows(project)
    ours = _ours(project, rows)
    found = [
        Difference(Subject.BACKEND, FOREIGN, found=digest_of(row["url"]), number=row["id"])
        for row in rows
        if row is not ours
    ]
    if ours is None:
        return found + ([Difference(Subject.BACKEND, "ours is gone")] if project.ml_backend_id else [])
    return found + _changed(project, ours)


def mend(project: LabelingProject, found: Sequence[Difference]) -> None:
    """Takes other backends away, renews the password where it went elsewhere, and connects ours.

    Raises:
        TryAgain: Label Studio does not answer, or does not reach us (``ml-backend-unreached``).
    """
    for one in found:
        if one.name == FOREIGN:
            unless_missing("DELETE", f"/api/ml/{one.number}")
    if any(one.tells_elsewhere for one in found):
        renew(Secret.ML_BACKEND, reason=ELSEWHERE)
    ours = _ours(project, [row for row in _rows(project) if not _is_foreign(row, found)])
    if ours is None:
        ours = _connect("POST", "/api/ml", project)
        # Label Studio takes a new backend's title for the version of predictions to show, and hides all others.
        call("PATCH", f"/api/projects/{project.label_studio_id}/", json={"model_version": ""})
    elif ours["url"].rstrip("/") != ml_backend_url() or found or ours.get("state", _CONNECTED) != _CONNECTED:
        ours = _connect("PATCH", f"/api/ml/{ours['id']}", project)
    _remember(project, ours)


def body(project: LabelingProject) -> Row:
    """Our ML backend as Label Studio takes it; a change needs all of it too, or it fails there."""
    return {
        "url": ml_backend_url(),
        "project": project.label_studio_id,
        **_fixed(),
        "basic_auth_pass": ml_backend_password(),
    }


def _fixed() -> Row:
    return {
        "title": BACKEND_TITLE,
        "is_interactive": True,
        "auth_method": "BASIC_AUTH",
        "basic_auth_user": settings.ML_BACKEND_USER,
    }


def _rows(project: LabelingProject) -> list[Row]:
    return rows_of(call("GET", "/api/ml", params={"project": project.label_studio_id}), id=int, url=str)


def _is_foreign(row: Row, found: Sequence[Difference]) -> bool:
    return any(one.name == FOREIGN and one.number == row["id"] for one in found)


def _ours(project: LabelingProject, rows: Sequence[Row]) -> Row | None:
    """The ML backend that we made, wherever it points now; else one with an address of ours."""
    made = next((row for row in rows if row["id"] == project.ml_backend_id), None)
    return made or next((row for row in rows if _is_at_home(project, row)), None)


def _is_at_home(project: LabelingProject, row: Row) -> bool:
    url = row["url"].rstrip("/")
    known = project.written.get("ml_backend", ())
    return url == ml_backend_url() or url in former_ml_backend_urls() or digest_of(url) in known


def _changed(project: LabelingProject, ours: Row) -> list[Difference]:
    found = []
    if not _is_at_home(project, ours):
        urls = digest_of(ml_backend_url()), digest_of(ours["url"])
        found.append(Difference(Subject.BACKEND, ELSEWHERE, *urls, number=ours["id"], tells_elsewhere=True))
    for name, value in _fixed().items():
        if name in ours and ours[name] != value:
            words = f"ours has another {name}"
            values = digest_of(value), digest_of(ours[name])
            found.append(Difference(Subject.BACKEND, words, *values, number=ours["id"]))
    return found


def _connect(method: str, path: str, project: LabelingProject) -> Row:
    """Label Studio tries the connection before it takes it."""
    try:
        return record_of(call(method, path, json=body(project)), id=int)
    except ProgramFault as error:
        logger.warning("Label Studio did not take our ML backend: %s", error.message[:300])
        raise TryAgain(
            "ml-backend-unreached",
            "Label Studio does not reach our ML backend, or gets no answer that it takes.",
            remedy="Is the web service running? See data/logs/web.log. Can Label Studio's machine open ML_BACKEND_URL "
            "(or MASKLOOP_URL, where that is not set)? Then run `manage.py pull_annotations`.",
        ) from error


def _remember(project: LabelingProject, ours: Row) -> None:
    project.ml_backend_id = ours["id"]
    project.written = {**project.written, "ml_backend": [digest_of(ml_backend_url())]}
    project.save(update_fields=["ml_backend_id", "written"])
