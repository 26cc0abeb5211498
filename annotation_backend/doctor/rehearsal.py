"""A phantom patient on its way through the loop, link by link."""

from pathlib import Path
from typing import Any

import numpy as np
from django_tasks_db.models import DBTaskResult

from annotation_backend.accounts.models import Role
from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.models import Case, Slice
from annotation_backend.cases.registration.export import export_case
from annotation_backend.cases.registration.imported import imported_label
from annotation_backend.cases.registration.register import register_case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.doctor.examination import Link, wait_for
from annotation_backend.doctor.pictures import picture_address, picture_in_browser
from annotation_backend.doctor.services import WEBHOOK_REMEDY, expected_model
from annotation_backend.labeling.interface.project_settings import project_settings
from annotation_backend.labeling.masks.controls import IMAGE, SMART_BOX, box_label
from annotation_backend.labeling.masks.regions import MASK_TYPES, region_of
from annotation_backend.labeling.models import Annotation, CaseMask, LabelingTask
from annotation_backend.labeling.project.publish import publish
from annotation_backend.labeling.studio.answers import record_of
from annotation_backend.labeling.studio.client import call
from annotation_backend.publishing.services import completed, release_case
from annotation_backend.registry.model_registry import first_label
from annotation_backend.registry.models import PromptKind
from annotation_backend.review.models import Review, Verdict
from annotation_backend.review.services import decide
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import people_in
from annotation_backend.studies.services import find_study
from datasets.errors import RejectedInput, TryAgain
from datasets.image.mask import Inside
from datasets.study.case import QualityScore

WEBHOOK_SECONDS = 10.0
WORKER_SECONDS = 90.0

_SEED = 20_261_121
_PREFIX = "REHEARSAL"


class Rehearsal:
    """The rehearsal case on its way: each link leaves here what the next one needs.

    Args:
        folder: For the phantom's files and the release; removed by the caller.
        study: The study in which it is rehearsed; None where there is none.
        name: Before the names of its links, where there are several rehearsals.
    """

    def __init__(self, folder: Path, study: Study | None, *, name: str = "") -> None:
        self._folder = folder
        self._study = study
        self._name = name
        self._case: Case | None = None
        self._mask: CaseMask | None = None
        self._review: Review | None = None

    def links(self) -> list[Link]:
        """The links in the order of the loop; each names those that it needs."""
        label_studio = "Label Studio's token"
        links = [
            Link("ingest", self._ingest, ("database", "data folder")),
            Link("registration", self._register, ("ingest",)),
            Link("pictures", self._export, ("registration",)),
            Link("a picture's address", lambda: picture_address(self._picture()), ("pictures", "web service")),
            Link("a picture in a browser", lambda: picture_in_browser(self._picture()), ("pictures", "web service")),
            Link("publication", self._publish, ("pictures", label_studio)),
            Link("a prediction through Label Studio", self._predict, ("publication", "models")),
            Link("an annotation through the webhook", self._annotate, ("publication",)),
            Link("worker", self._assemble, ("an annotation through the webhook",)),
            Link("review", self._verdict, ("worker",)),
            Link("release", self._release, ("review",)),
        ]
        own = {link.name for link in links}
        return [
            Link(
                f"{self._name}{link.name}",
                link.check,
                tuple(f"{self._name}{need}" if need in own else need for need in link.needs),
            )
            for link in links
        ]

    def _ingest(self) -> None:
        from datasets.phantom.protocol_cohort import write_cohort_of

        study = self._study or find_study(None)
        write_cohort_of(study.protocol, self._folder, patients=1, seed=_SEED, prefix=_PREFIX)
        report = ingest(self._folder, study=study, is_rehearsal=True)
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

    def _export(self) -> None:
        export_case(self._require_case())

    def _publish(self) -> None:
        publish(self._require_case())

    def _predict(self) -> None:
        """Draws a smart box around the phantom's tumour, as a browser would, through Label Studio.

        Nothing where no registered model fits the study: then annotators have no answer either.
        """
        inside, task = self._largest_slice()
        if expected_model(task.case.study, PromptKind.BOX, task.project) is None:
            return
        path = f"/api/ml/{task.project.ml_backend_id}/interactive-annotating"
        prompt = _smart_box(inside, first_label(task.project.study))
        body = {"task": task.label_studio_id, "context": {"result": [prompt]}}
        answer = record_of(call("POST", path, json=body))
        drawn = (answer.get("data") or {}).get("result") or []
        if not any(region.get("type") in MASK_TYPES for region in drawn):
            raise TryAgain(
                "no-prediction",
                f"Label Studio got no mask from our ML backend: {str(answer.get('errors') or 'an empty answer')[:300]}",
                remedy="Is ML_BACKEND_PASSWORD in .env the one Label Studio has? See data/logs/web.log.",
            )

    def _annotate(self) -> None:
        """Saves the phantom's own contour in Label Studio and waits for it to reach us."""
        inside, task = self._largest_slice()
        mask_format = project_settings(task.project).mask_format
        label = task.project.protocol.learned_label.name
        region = region_of(inside, region_id="doctor", score=None, label=label, mask_format=mask_format)
        body = {"result": [region], "lead_time": 1.0}
        saved = record_of(call("POST", f"/api/tasks/{task.label_studio_id}/annotations/", json=body), id=int)
        wait_for(
            Annotation.objects.filter(project=task.project, label_studio_id=saved["id"]).exists,
            seconds=WEBHOOK_SECONDS,
            otherwise=lambda: TryAgain(
                "webhook-lost",
                "A save in Label Studio did not reach us.",
                remedy=f"`manage.py pull_annotations` takes it over. {WEBHOOK_REMEDY} See data/logs/label_studio.log.",
            ),
        )

    def _assemble(self) -> None:
        masks = CaseMask.objects.filter(case=self._require_case())
        wait_for(masks.exists, seconds=WORKER_SECONDS, otherwise=_no_mask)
        self._mask = masks.order_by("-pk").first()

    def _verdict(self) -> None:
        radiologist = people_in(self._require_case().study, Role.RADIOLOGIST).first()
        if radiologist is None or self._mask is None:
            raise RejectedInput(
                "no-radiologist",
                "The study has no radiologist.",
                remedy=f"Add one: `manage.py add_person EMAIL radiologist --study {self._require_case().study}`.",
            )
        self._review = decide(
            self._mask,
            radiologist,
            verdict=Verdict.APPROVE,
            quality_score=QualityScore.SUFFICIENT,
            accepts_unannotated=True,
        )

    def _release(self) -> None:
        from datasets.release.build import ReleaseSettings, build_release
        from datasets.release.codes import case_code, patient_code
        from datasets.release.verify import verify_release

        if self._review is None:
            raise RejectedInput("rehearsal-no-verdict", "The rehearsal has no verdict.", remedy="Report it.")
        case = self._review.mask.case
        released = release_case(self._review, case_code(patient_code(1), 1))  # the study's codes are its patients'
        asked = ReleaseSettings(name="rehearsal", version="0.0.1", licence="CC0-1.0")
        release_settings = completed(case.study, asked, {case.code: released})
        built = build_release([released], release_settings, self._folder / "releases")
        report = verify_release(built.folder)
        if report.findings:
            raise RejectedInput("release-unsound", str(report.findings[0]), remedy="Report it.")

    def _largest_slice(self) -> tuple[Inside, LabelingTask]:
        """The phantom's contour on its largest slice, in picture orientation, and that slice's task."""
        case = self._require_case()
        tumour, plane = imported_label(case), picture_plane(case)
        if tumour is None:
            raise RejectedInput("rehearsal-no-mask", "The phantom came without its mask.", remedy="Report it.")
        areas = tumour.foreground.sum(axis=tuple(axis for axis in range(3) if axis != plane.slice_axis))
        index = int(areas.argmax())
        task = LabelingTask.objects.select_related("project").get(case=case, slice_index=index)
        return plane.to_picture(tumour.foreground, index), task

    def _picture(self) -> Slice:
        picture = self._require_case().slices.first()
        if picture is None:
            raise RejectedInput("rehearsal-no-picture", "The rehearsal has no picture.", remedy="Report it.")
        return picture

    def _require_case(self) -> Case:
        if self._case is None:
            raise RejectedInput("rehearsal-no-case", "The rehearsal has no case.", remedy="Report it.")
        return self._case


def _no_mask() -> TryAgain:
    """The reason why no mask was assembled: the worker is busy with another job, or there is no worker."""
    running = DBTaskResult.objects.running().order_by("started_at").first()
    if running is None:
        return TryAgain(
            "worker-silent",
            "No worker assembled the mask.",
            remedy="Is the worker running? See data/logs/worker.log.",
        )
    job = running.task_path.rpartition(".")[2]
    return TryAgain(
        "worker-busy",
        f"The worker did not come to the mask in {WORKER_SECONDS:.0f} s; it is at {job}.",
        remedy="Wait until that is done and run this again. If it never is, restart and see data/logs/worker.log.",
    )


def _smart_box(inside: Inside, label: str) -> dict[str, Any]:
    height, width = inside.shape
    rows, columns = np.nonzero(inside)
    value = {
        "x": float(columns.min()) * 100 / width,
        "y": float(rows.min()) * 100 / height,
        "width": float(columns.max() + 1 - columns.min()) * 100 / width,
        "height": float(rows.max() + 1 - rows.min()) * 100 / height,
        "rotation": 0,
        "rectanglelabels": [box_label(label)],
    }
    size = {"original_width": width, "original_height": height, "image_rotation": 0}
    kind = {"id": "doctor", "from_name": SMART_BOX, "to_name": IMAGE, "type": "rectanglelabels", "origin": "manual"}
    return {**size, **kind, "value": value}
