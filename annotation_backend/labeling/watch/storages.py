"""Cloud storages: none of ours, so one that is there brings tasks in or copies annotations out behind our back."""

from collections.abc import Sequence
from typing import Any

from annotation_backend.labeling.models import LabelingProject, Subject
from annotation_backend.labeling.studio.answers import rows_of
from annotation_backend.labeling.studio.client import call, unless_missing
from annotation_backend.labeling.studio.task_data import digest_of
from annotation_backend.labeling.watch.difference import Difference

INTO, OUT_OF = "one that brings tasks in", "one that copies annotations out"

_ADDRESSES = {INTO: "/api/storages/", OUT_OF: "/api/storages/export"}

_PATHS = {"azure_blob": "azure"}
"""Names in addresses of storages, where they differ from the type."""


def differences(project: LabelingProject) -> list[Difference]:
    """All cloud storages of the project: each differs, as we set up none."""
    return [
        Difference(Subject.STORAGE, name, found=digest_of([row["id"], row.get("type")]), number=row["id"])
        for name, address in _ADDRESSES.items()
        for row in _rows(project, address)
    ]


def mend(project: LabelingProject, found: Sequence[Difference]) -> None:
    """Removes the storages from the project."""
    wanted = {(one.name, one.number) for one in found}
    for name, address in _ADDRESSES.items() if wanted else ():
        for row in _rows(project, address):
            if (name, row["id"]) in wanted:
                unless_missing("DELETE", f"{address.rstrip('/')}/{_PATHS.get(row['type'], row['type'])}/{row['id']}")


def _rows(project: LabelingProject, address: str) -> list[dict[str, Any]]:
    return rows_of(call("GET", address, params={"project": project.label_studio_id}), id=int, type=str)
