"""Webhooks: ours tells us of every save, and no other tells anybody else."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from annotation_backend.labeling.models import LabelingProject, Secret, Subject
from annotation_backend.labeling.studio.answers import Row, moment_of, record_of, rows_of
from annotation_backend.labeling.studio.client import call, unless_missing
from annotation_backend.labeling.studio.credentials import (
    former_ml_backend_urls,
    former_webhook_headers,
    renew,
    webhook_headers,
    webhook_secret,
    webhook_url,
)
from annotation_backend.labeling.studio.task_data import digest_of
from annotation_backend.labeling.watch.difference import Difference

FOREIGN = "another webhook beside ours"
OF_ALL = "another webhook for all projects"
TWICE = "ours a second time"
ELSEWHERE = "ours at another address"


def differences(project: LabelingProject) -> list[Difference]:
    """Webhooks that get our project's saves and are not ours, and changes of ours."""
    rows = _rows(project)
    ours = _ours(project, rows)
    found = [one for row in rows if row is not ours and (one := _foreign(project, row))]
    if ours is None:
        return found + ([Difference(Subject.WEBHOOK, "ours is gone")] if project.webhook_id else [])
    return found + _changed(project, ours)


def mend(project: LabelingProject, found: Sequence[Difference]) -> None:
    """Takes other webhooks away (one for all projects is switched off), and sets ours right; its header is another one
    where it went elsewhere."""
    for one in found:
        if one.name in (FOREIGN, TWICE):
            unless_missing("DELETE", f"/api/webhooks/{one.number}/")
        elif one.name == OF_ALL:
            unless_missing("PATCH", f"/api/webhooks/{one.number}/", json={"is_active": False})
    if any(one.tells_elsewhere for one in found):
        renew(Secret.WEBHOOK, reason=ELSEWHERE)
    ours = _ours(project, [row for row in _rows(project) if row.get("project") == project.label_studio_id])
    wanted = {"url": webhook_url(), **_fixed()}
    if ours is None:
        made = call("POST", "/api/webhooks/", json={"project": project.label_studio_id, **wanted})
        ours = record_of(made, id=int)
    elif any(ours.get(name) != value for name, value in wanted.items()):
        call("PATCH", f"/api/webhooks/{ours['id']}/", json=wanted)
    _remember(project, ours["id"])


def _fixed() -> Row:
    return {"headers": webhook_headers(), "is_active": True, "send_payload": True, "send_for_all_actions": True}


def _rows(project: LabelingProject) -> list[Row]:
    """The webhooks of the project, and those of the whole organisation, which are told of it too."""
    rows = rows_of(call("GET", "/api/webhooks/"), id=int, url=str)
    return [row for row in rows if row.get("project") in (None, project.label_studio_id)]


def _ours(project: LabelingProject, rows: Sequence[Row]) -> Row | None:
    made = next((row for row in rows if row["id"] == project.webhook_id), None)
    at_home = (row for row in rows if _is_at_home(project, row) and row.get("project") is not None)
    return made or min(at_home, key=lambda row: int(row["id"]), default=None)


def _is_at_home(project: LabelingProject, row: Row) -> bool:
    url, known = row["url"], project.written.get("webhook", ())
    former = [f"{url}/webhook" for url in former_ml_backend_urls()]
    return url == webhook_url() or url in former or digest_of(url) in known


def _foreign(project: LabelingProject, row: Row) -> Difference | None:
    digest, when = digest_of(row["url"]), _moment(row)
    is_home = _is_at_home(project, row)
    tells = not is_home and _carries_ours(row)
    if row.get("project") is None:
        if not row.get("is_active", True):
            return None
        return Difference(Subject.WEBHOOK, OF_ALL, "", digest, row["id"], changed_at=when, tells_elsewhere=tells)
    name = TWICE if is_home else FOREIGN
    return Difference(Subject.WEBHOOK, name, "", digest, row["id"], changed_at=when, tells_elsewhere=tells)


def _carries_ours(row: Row) -> bool:
    """Whether our header's secret goes out with a webhook, under whatever name, or in its address."""
    headers = row.get("headers")
    said = [row["url"], *(map(str, headers.values()) if isinstance(headers, Mapping) else ())]
    return any(webhook_secret() in one for one in said)


def _changed(project: LabelingProject, ours: Row) -> list[Difference]:
    found = []
    number, when = ours["id"], _moment(ours)
    if not _is_at_home(project, ours):
        urls = digest_of(webhook_url()), digest_of(ours["url"])
        found.append(Difference(Subject.WEBHOOK, ELSEWHERE, *urls, number, changed_at=when, tells_elsewhere=True))
    for name, value in _fixed().items():
        has = ours.get(name, value)
        if has == value or (name == "headers" and _is_not_told_yet(project, has)):
            continue
        words = f"ours has another {name}"
        found.append(Difference(Subject.WEBHOOK, words, digest_of(value), digest_of(has), number, changed_at=when))
    return found


def _is_not_told_yet(project: LabelingProject, headers: object) -> bool:
    """Whether the header is missing through no change of anybody's: Label Studio makes our webhook together with the ML
    backend, without one; and after a renewal it has the one before."""
    return headers == former_webhook_headers() or (project.webhook_id is None and not headers)


def _remember(project: LabelingProject, number: int) -> None:
    project.webhook_id = number
    project.written = {**project.written, "webhook": [digest_of(webhook_url())]}
    project.save(update_fields=["webhook_id", "written"])


def _moment(row: Row) -> datetime | None:
    return moment_of(row.get("updated_at"))
