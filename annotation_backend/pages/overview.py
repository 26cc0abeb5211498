"""What there is in a study, and what waits there for whom."""

from dataclasses import dataclass
from functools import cached_property

from django.db.models import Count, Q, QuerySet

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import (
    Case,
    Exclusion,
    IngestOutcome,
    IngestPatient,
    Patient,
    VerdictOfRegistration,
)
from annotation_backend.cases.registration.verdicts import registrations
from annotation_backend.labeling.models import LabelingProject, LabelingTask, TaskState
from annotation_backend.labeling.project.project import current_project
from annotation_backend.labeling.versions.losses import open_findings
from annotation_backend.labeling.watch.record import open_changes
from annotation_backend.publishing.models import Erratum, Release
from annotation_backend.review.queue_order import cases_with_a_mask, waiting
from annotation_backend.studies.models import Study


@dataclass(frozen=True)
class Overview:
    """A study for its first page; each number is counted when a template asks for it.

    Args:
        study: The study.
        role: The reader's (first) role in it.
        own_count: Pieces of work that the reader has to do in it.
        person: The reader; None for who may see all.
    """

    study: Study
    role: str
    own_count: int = 0
    person: User | None = None

    @cached_property
    def project(self) -> LabelingProject | None:
        """Its project in Label Studio; None where nothing was published yet."""
        return current_project(self.study)

    @property
    def case_count(self) -> int:
        """Cases in use."""
        return Case.objects.in_use().filter(study=self.study).count()

    @property
    def pending_count(self) -> int:
        """Slices that nobody submitted yet."""
        return self._count(TaskState.PENDING)

    @property
    def returned_count(self) -> int:
        """Slices of returned cases that nobody submitted again yet."""
        return self._count(TaskState.RETURNED)

    @property
    def mask_count(self) -> int:
        """The cases with a mask."""
        return cases_with_a_mask(self.study).count()

    @property
    def review_count(self) -> int:
        """Cases whose newest mask waits for a verdict."""
        return waiting(self.study).order_by().count()

    @cached_property
    def finding_count(self) -> int:
        """Findings that the reader may know of, and changes in Label Studio, that nobody has looked at."""
        return open_findings(study=self.study, person=self.person).count() + open_changes(self.study).count()

    @cached_property
    def doubtful_count(self) -> int:
        """Registrations that a person has to look at."""
        return registrations(self.study, VerdictOfRegistration.LOOK).count()

    @cached_property
    def undecided(self) -> list[Patient]:
        """Patients of whose series a person has to choose, in the order of their codes."""
        rows = IngestPatient.objects.filter(ingest__study=self.study).newest()
        waiting = rows.filter(outcome=IngestOutcome.UNDECIDED, patient__cases__isnull=True)
        asked = waiting.select_related("patient", "ingest").prefetch_related("patient__chosen_series")
        return list(dict.fromkeys(row.patient for row in asked.order_by("patient__code") if not _is_chosen(row)))

    @property
    def erratum_count(self) -> int:
        """Reported faults in releases that nobody has accepted or declined."""
        steps = Erratum.objects.filter(study=self.study).alias(count=Count("steps"))
        return steps.filter(count=1).count()

    @property
    def release_count(self) -> int:
        """Releases."""
        return Release.objects.filter(study=self.study).count()

    def _count(self, state: TaskState) -> int:
        """Tasks of cases in use; counted by an index without a look at each task's case, less those of the others."""
        tasks = self._tasks(state)
        excluded = Exclusion.objects.filter(case__study=self.study, ended__isnull=True).values("case")
        unused = Case.objects.filter(study=self.study).filter(Q(pk__in=excluded) | Q(is_rehearsal=True))
        return tasks.count() - tasks.filter(case__in=list(unused.values_list("pk", flat=True))).count()

    def _tasks(self, state: TaskState) -> QuerySet[LabelingTask]:
        projects = list(LabelingProject.objects.filter(study=self.study).values_list("pk", flat=True))
        return LabelingTask.objects.filter(project__in=projects, state=state)


def _is_chosen(row: IngestPatient) -> bool:
    """Whether somebody chose since the ingest; the next one takes it."""
    return any(choice.created > row.ingest.started for choice in row.patient.chosen_series.all())
