"""The doctor: one rehearsal case through the installed system, link by link, and everything put away again."""

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.exporting import export_case
from annotation_backend.cases.ingest import ingest
from annotation_backend.cases.models import Case
from annotation_backend.cases.registering import register_case
from annotation_backend.cases.services import imported_tumour, picture_plane
from annotation_backend.labeling.client import call
from annotation_backend.labeling.config import IMAGE, SMART_BOX
from annotation_backend.labeling.models import Annotation, AnnotationDeletion, CaseMask, LabelingProject, LabelingTask
from annotation_backend.labeling.publish import publish
from annotation_backend.publishing.services import release_case
from annotation_backend.registry.models import PromptKind
from annotation_backend.registry.services import serving_model
from annotation_backend.review.models import Review, Verdict
from annotation_backend.review.services import decide
from datasets.case import QualityScore
from datasets.errors import MaskloopError, RejectedInput, TryAgain

WEBHOOK_SECONDS = 10.0
WORKER_SECONDS = 90.0

_REHEARSAL_SEED = 20_261_121
_REHEARSAL_PREFIX = "REHEARSAL"


@dataclass
class Examination:
    """What the doctor found: the links that hold, and the first that does not."""

    good: list[str] = field(default_factory=list)
    failed: str = ""
    why: str = ""


def examine(*, tell: Callable[[str], None]) -> Examination:
    """Runs the links in order, stops at the first that fails, and puts the rehearsal case away in any case.

    Args:
        tell: Called with one line for each link that holds.
    """
    found = Examination()
    put_away_rehearsals()
    with tempfile.TemporaryDirectory(prefix="maskloop-doctor-") as folder:
        try:
            for name, link in _Rehearsal(Path(folder)).links():
                started = time.monotonic()
                found.failed = name
                link()
                found.good.append(name)
                tell(f"good  {name} ({time.monotonic() - started:.1f} s)")
            found.failed = ""
        except MaskloopError as error:
            found.why = str(error)
        finally:
            put_away_rehearsals()
    return found


def put_away_rehearsals() -> None:
    """Removes the rehearsal's records and files, and its tasks in Label Studio where that answers."""
    for case in Case.objects.filter(is_rehearsal=True):
        tasks = LabelingTask.objects.filter(case=case)
        identifiers = list(tasks.values_list("label_studio_id", flat=True))
        with transaction.atomic():
            saves = Annotation.objects.filter(task__in=tasks)
            for project, identifier in set(saves.values_list("project", "label_studio_id")):
                AnnotationDeletion.objects.filter(project=project, label_studio_id=identifier).delete()
            Review.objects.filter(mask__case=case).delete()
            CaseMask.objects.filter(case=case).delete()
            saves.discard_rehearsals()
            tasks.delete()
            patient = case.patient
            case.delete()
            if not patient.cases.exists():
                patient.delete()
        shutil.rmtree(case.folder, ignore_errors=True)
        for identifier in identifiers:
            with suppress(MaskloopError):
                call("DELETE", f"/api/tasks/{identifier}/")


class _Rehearsal:
    """A phantom patient on its way through the loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._case: Case | None = None
        self._task: LabelingTask | None = None
        self._region: dict[str, Any] = {}
        self._mask: CaseMask | None = None
        self._review: Review | None = None

    def links(self) -> list[tuple[str, Callable[[], None]]]:
        """Name and check of each link, in the order of the loop."""
        return [
            ("database", self._database),
            ("web service", self._web),
            ("Label Studio and token", self._label_studio),
            ("models", self._models),
            ("ingest", self._ingest),
            ("registration", self._register),
            ("pictures", self._pictures),
            ("publication", self._publish),
            ("prediction through Label Studio", self._predict),
            ("webhook", self._webhook),
            ("worker", self._worker),
            ("review", self._verdict),
            ("release", self._release),
        ]

    def _database(self) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise RejectedInput(
                "migrations-missing", "The database is of another version.", remedy="Run `manage.py migrate`."
            )

    def _web(self) -> None:
        try:
            requests.get(f"{settings.MASKLOOP_URL}/alive", timeout=5).raise_for_status()
        except requests.RequestException as error:
            raise TryAgain(
                "web-down", "The web service does not answer.", remedy="Start it with `make up`; see data/logs/web.log."
            ) from error

    def _label_studio(self) -> None:
        call("GET", "/api/current-user/whoami")

    def _models(self) -> None:
        for kind in (PromptKind.AUTOMATIC, PromptKind.BOX, PromptKind.POINT):  # what Label Studio asks for
            serving_model(kind)

    def _ingest(self) -> None:
        from datasets.phantom import write_phantom_cohort

        folder = self._folder
        write_phantom_cohort(folder, patients=1, seed=_REHEARSAL_SEED, prefix=_REHEARSAL_PREFIX)
        report = ingest(folder, is_rehearsal=True)
        arrived = [*report.new, *report.known]
        if len(arrived) != 1:
            raise RejectedInput(
                "rehearsal-not-ingested",
                f"The phantom patient did not come in: {'; '.join(map(str, report.findings))}",
                remedy="Report it with this line.",
            )
        self._case = arrived[0]

    def _register(self) -> None:
        register_case(self._require_case())

    def _pictures(self) -> None:
        case = self._require_case()
        export_case(case)
        picture = case.slices.first()
        origin = {"Origin": settings.LABEL_STUDIO_URL}
        answer = requests.get(picture.url, headers=origin, timeout=10) if picture else None
        if answer is None or not answer.ok or not answer.content.startswith(b"\x89PNG"):
            raise TryAgain("picture-closed", "A picture's address does not open.", remedy="See data/logs/web.log.")
        if answer.headers.get("Access-Control-Allow-Origin") != settings.LABEL_STUDIO_URL:
            raise RejectedInput(
                "picture-cors",
                "A browser would refuse the picture: no CORS header for Label Studio's address.",
                remedy="Is LABEL_STUDIO_URL in .env the address that people type? Does a proxy drop headers?",
            )

    def _publish(self) -> None:
        publish(self._require_case())

    def _predict(self) -> None:
        """Draws a smart box around the phantom's tumour, as a browser would, through Label Studio."""
        case = self._require_case()
        tumour, plane = imported_tumour(case), picture_plane(case)
        if tumour is None:
            raise RejectedInput("rehearsal-no-mask", "The phantom came without its mask.", remedy="Report it.")
        areas = tumour.foreground.sum(axis=tuple(axis for axis in range(3) if axis != plane.slice_axis))
        index = int(areas.argmax())
        self._task = LabelingTask.objects.get(case=case, slice_index=index)
        project = LabelingProject.objects.get(pk=self._task.project_id)
        context = {"result": [_smart_box(plane.to_picture(tumour.foreground, index))]}
        path = f"/api/ml/{project.ml_backend_id}/interactive-annotating"
        answer = call("POST", path, json={"task": self._task.label_studio_id, "context": context})
        drawn = (answer.get("data") or {}).get("result")
        if not drawn:
            raise TryAgain(
                "no-prediction",
                f"Label Studio got no mask from our ML backend: {str(answer.get('errors') or answer)[:300]}",
                remedy="Is ML_BACKEND_PASSWORD in .env the one Label Studio has? See data/logs/web.log.",
            )
        self._region = drawn[0]

    def _webhook(self) -> None:
        task = self._require_task()
        body = {"result": [self._region], "lead_time": 1.0}
        saved = call("POST", f"/api/tasks/{task.label_studio_id}/annotations/", json=body)
        stored = Annotation.objects.filter(label_studio_id=saved["id"])
        _wait(
            stored.exists,
            seconds=WEBHOOK_SECONDS,
            otherwise=TryAgain(
                "webhook-lost",
                "A save in Label Studio did not reach us.",
                remedy="`manage.py pull_annotations` takes it over; `manage.py publish_tasks` renews the webhook.",
            ),
        )

    def _worker(self) -> None:
        masks = CaseMask.objects.filter(case=self._require_case())
        _wait(
            masks.exists,
            seconds=WORKER_SECONDS,
            otherwise=TryAgain(
                "worker-silent",
                "No worker assembled the mask.",
                remedy="Is the worker running? See data/logs/worker.log.",
            ),
        )
        self._mask = masks.get()

    def _verdict(self) -> None:
        radiologist = User.objects.filter(role=Role.RADIOLOGIST).first()
        if radiologist is None or self._mask is None:
            raise RejectedInput("no-radiologist", "There is no radiologist's account.", remedy="Run `manage.py up`.")
        self._review = decide(
            self._mask,
            radiologist,
            verdict=Verdict.APPROVE,
            quality_score=QualityScore.SUFFICIENT,
            accepts_unannotated=True,
        )

    def _release(self) -> None:
        from datasets.release.build import ReleaseSettings, build_release
        from datasets.release.verify import verify_release

        if self._review is None:
            raise RejectedInput("rehearsal-no-verdict", "The rehearsal has no verdict.", remedy="Report it.")
        release_settings = ReleaseSettings(name="rehearsal", version="0.0.1", licence="CC0-1.0")
        built = build_release([release_case(self._review)], release_settings, self._folder / "releases")
        report = verify_release(built.folder)
        if report.findings:
            raise RejectedInput("release-unsound", str(report.findings[0]), remedy="Report it.")

    def _require_case(self) -> Case:
        if self._case is None:
            raise RejectedInput("rehearsal-no-case", "The rehearsal has no case.", remedy="Report it.")
        return self._case

    def _require_task(self) -> LabelingTask:
        if self._task is None:
            raise RejectedInput("rehearsal-no-task", "The rehearsal has no task.", remedy="Report it.")
        return self._task


def _smart_box(inside: Any) -> dict[str, Any]:
    import numpy as np

    height, width = inside.shape
    rows, columns = np.nonzero(inside)
    value = {
        "x": float(columns.min()) * 100 / width,
        "y": float(rows.min()) * 100 / height,
        "width": float(columns.max() + 1 - columns.min()) * 100 / width,
        "height": float(rows.max() + 1 - rows.min()) * 100 / height,
        "rotation": 0,
        "rectanglelabels": ["Tumour box"],
    }
    size = {"original_width": width, "original_height": height, "image_rotation": 0}
    kind = {"id": "doctor", "from_name": SMART_BOX, "to_name": IMAGE, "type": "rectanglelabels", "origin": "manual"}
    return {**size, **kind, "value": value}


def _wait(is_there: Callable[[], bool], *, seconds: float, otherwise: MaskloopError) -> None:
    deadline = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > deadline:
            raise otherwise
        time.sleep(0.3)
