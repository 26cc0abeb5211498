"""A study with one of everything that a page shows, told from any other study's by its words; and its people."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpResponseBase
from django.test import Client

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case, Ingest, IngestPatient, Patient
from annotation_backend.labeling.models import AnnotationFinding, CaseMask, FindingKind, StudioChange, Subject
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.learning.models import Run, RunStatus, Snapshot
from annotation_backend.learning.runs.held_out import picture_file
from annotation_backend.publishing.models import Erratum, ErratumStep, Release, ReleasedCase
from annotation_backend.registry.models import Model
from annotation_backend.review.comments.services import pin
from annotation_backend.review.models import Review
from annotation_backend.stages.assigning import assign
from annotation_backend.stages.flow import begin
from annotation_backend.stages.models import Assignment
from annotation_backend.studies.models import STUDY_ROLES, Study
from annotation_backend.studies.people import give_role
from datasets.files import sha256_of_bytes, write_bytes
from datasets.release.build import build_release
from datasets.release.correcting.beside import put_changes
from datasets.study.stage import AssignedBy
from tests.annotation_backend.inference.unsure_masks import unsure_mask
from tests.annotation_backend.support.addresses import PLAIN, Address
from tests.annotation_backend.support.records import published, registered_case, saved, second_study, signed_in
from tests.datasets.release.samples import CODES, SETTINGS, write_cases


@dataclass(frozen=True)
class Filled:
    """A study with one of everything.

    Args:
        study: The study.
        people: A person of each role in it, with no other.
        values: What addresses name, by the name of the value: numbers of a finding, a change and a release apart.
    """

    study: Study
    people: Mapping[Role, User]
    values: Mapping[str, Any]

    @property
    def word(self) -> re.Pattern[bytes]:
        """The words that say that this study is there; they are in its codes, addresses and texts."""
        return re.compile(self.study.name.encode())

    def address(self, of: Address, *, below: Study | None = None) -> str:
        """The address of one of its things, below its own name or another study's."""
        values = {**PLAIN, **self.values, **self.values.get(of.name, {}), "study": (below or self.study).name}
        return of.of(values)


def filled(name: str, folder: Path, *, number: int) -> Filled:
    """A study of this name with one of everything in it.

    Args:
        name: Of the study, in all its words.
        folder: For the cases of its release.
        number: Its own, so that numbers of Label Studio do not meet another study's.
    """
    study = second_study(name)
    people = {role: User.objects.create_user(f"{role.value}@{name}.org") for role in STUDY_ROLES}
    for role, person in people.items():
        give_role(study, person, role)
    case = registered_case(study.code("C", 1), study=study)
    case.anatomical_site = f"site of {name}"
    case.save()
    tasks = published(case, first_task=1000 * number, project=number)
    people[Role.ANNOTATOR].label_studio_id = 100 * number
    people[Role.ANNOTATOR].save()
    save = saved(tasks[2], person=100 * number)
    mask = assemble(case)
    assert mask is not None
    Review.objects.create(mask=mask, reviewer=people[Role.RADIOLOGIST], verdict="return", comment=f"comment of {name}")
    doubt = registered_case(study.code("C", 2), study=study)
    doubt.registrations.update(verdict="look")
    finding = AnnotationFinding.objects.create(annotation=save, kind=FindingKind.LABEL, label=f"label of {name}")
    change = StudioChange.objects.create(
        project=tasks[0].project, case=case, subject=Subject.PICTURE, name=f"change in {name}", slices=[2]
    )
    ingest = Ingest.objects.create(study=study, file_count=number)
    undecided = Patient.objects.create(study=study, code=study.code("P", 9), pseudonym=sha256_of_bytes(name.encode()))
    IngestPatient.objects.create(ingest=ingest, patient=undecided, outcome="undecided", reference=undecided.code)
    IngestPatient.objects.create(ingest=ingest, patient=case.patient, case=case, outcome="new", reference="x")
    model = _model(study)
    run = _run(study, model, case)
    unsure_mask(case, model, bits=b"x")
    said = pin(case, people[Role.RADIOLOGIST], voxel=[1, 1, 2], text=f"pinned in {name}", mask=mask)
    assign(begin(case)[0], people[Role.ANNOTATOR], [3], how=AssignedBy.HAND, why=f"why of {name}")
    release = _release(study, folder)
    _erratum(release, case)
    values = _values(study, mask, release, finding, change)
    values |= {"review-comment": {"pk": said.pk}}
    values |= {name: {"pk": model.pk} for name in ("review-model-mask", "review-uncertainty")}
    values |= {name: {"pk": model.pk} for name in ("model-page", "model-trace", "model-promote")}
    values |= {name: {"pk": run.pk} for name in ("run-page", "run-picture")}
    return Filled(study, people, values)


def _release(study: Study, folder: Path) -> Release:
    """The newer one of two versions."""
    cases, releases = write_cases(folder), Path(settings.DATA_FOLDER) / "releases" / folder.name
    for version, held in (("1.1.0", cases[:1]), (SETTINGS.version, cases)):
        built = build_release(held, replace(SETTINGS, version=version), releases)
        where = {"digest": built.digest, "folder": str(built.folder.relative_to(settings.DATA_FOLDER))}
        release = Release.objects.create(study=study, name=study.name, version=version, **where)
    return release


def _erratum(release: Release, case: Case) -> Erratum:
    """A fault that was reported in the release, and a picture of what a version changed."""
    ReleasedCase.objects.create(release=release, case=case, code=CODES[0])
    erratum = Erratum.objects.create(
        study=release.study, number=1, release=release, case=case, code=CODES[0], part="mask",
        text=f"fault in {release.study}", mask_voxels="0" * 64,
    )  # fmt: skip
    ErratumStep.objects.create(erratum=erratum, state="reported")
    put_changes(release.path, {"pictures/change.png": b"\x89PNG of " + release.study.name.encode()})
    return erratum


def _model(study: Study) -> Model:
    """A model that learned from the study's masks and serves nowhere."""
    digest = sha256_of_bytes(study.name.encode())
    names = {"name": f"model-of-{study.name}", "version": "1", "method": "clicks-2d", "folder": "nowhere"}
    return Model.objects.create(**names, digest=digest, prompt_kinds=["point"], study=study, snapshot_digest=digest)


def _run(study: Study, model: Model, case: Case) -> Run:
    """The model's training, with the figure and the picture of a held-out case."""
    entry = {"case": case.code, "patient": case.patient.code, "mask": 0, "mask_sha256": "x", "quality_score": "x"}
    snapshot = Snapshot.objects.create(study=study, digest=model.digest, content={"cases": [entry]})
    figures = [{**entry, "fold": 0, "dice": 0.5, "assd_mm": None, "hd95_mm": None, "surface_dice_1mm": 0.5}]
    run = Run.objects.create(
        study=study, snapshot=snapshot, model=model, method="clicks-2d", settings={"name": f"run of {study.name}"},
        status=RunStatus.DONE, folds=[[case.code]], figures=figures, summary={"cases": 1, "mean": 0.5, "misses": 0},
    )  # fmt: skip
    write_bytes(picture_file(run, case.code), b"\x89PNG of " + study.name.encode())
    return run


def _values(
    study: Study, mask: CaseMask, release: Release, finding: AnnotationFinding, change: StudioChange
) -> dict[str, Any]:
    of_finding, of_release = {"pk": finding.pk}, {"pk": release.pk}
    return {
        "code": mask.case.code,
        "mask_id": mask.pk,
        "patient-page": {"code": mask.case.patient.code},
        "release-page": of_release,
        "release-download": of_release,
        "release-part": {**of_release, "number": 1},
        "release-patch": of_release,
        "erratum-report": of_release,
        "release-beside": {**of_release, "kind": "errata"},
        "release-change": {**of_release, "kind": "change"},
        "finding-seen": of_finding,
        "finding-drawer": of_finding,
        "change-seen": {"pk": change.pk},
        "own-piece": {"pk": Assignment.objects.get(row__case=mask.case).pk},
        "case-thumbnail": {"kind": "registration"},
        "registration-of-image": {"role": "t1"},
        "registration-slice": {"role": "t1", "kind": "edges"},
    }


class Asking:
    """People's browsers, each signed in once, and without messages of the page before."""

    def __init__(self) -> None:
        self._clients: dict[User | None, Client] = {}

    def __call__(self, person: User | None, method: str, address: str, **options: Any) -> HttpResponseBase:
        """The answer that a person gets."""
        if person not in self._clients:
            self._clients[person] = signed_in(person) if person else Client()
        client = self._clients[person]
        client.cookies.pop("messages", None)
        return client.generic(method, address, **options)  # type: ignore[return-value]


def content_of(answer: HttpResponseBase) -> bytes:
    """All of an answer that says something: status, headers and content, without what is drawn anew each time."""
    content = answer.getvalue() if answer.streaming else answer.content  # type: ignore[attr-defined]
    content = re.sub(rb'(name="csrfmiddlewaretoken" value|data-token)="\w+"', b"", content)
    kept = {name: value for name, value in answer.headers.items() if name != "Server-Timing"}
    return b"%d %s\n%s" % (answer.status_code, repr(sorted(kept.items())).encode(), content)
