"""CaseMask: a mask volume assembled from the annotations of a case's slices."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models.annotation import Annotation, AnnotationQuerySet, NamedDrawer
from annotation_backend.labeling.models.correction import Correction, CorrectionKind, Layers, layers_under
from annotation_backend.labeling.models.decoding import DECODING
from annotation_backend.labeling.models.version import Restoration
from annotation_backend.stages.models import CaseStage, Reading
from datasets.finding import Level


def label_rows(labels: Mapping[int, str]) -> list[list[Any]]:
    """Labels as `CaseMask.labels` keeps them: value and name, the one that counts most first."""
    return [[value, name] for value, name in labels.items()]


class CaseMask(models.Model):
    """A mask volume assembled from the annotations of a case's slices, on the case's grid; never changed."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="masks")
    annotations = models.ManyToManyField(Annotation, related_name="masks")
    corrections = models.ManyToManyField(Correction, related_name="masks")
    reading = models.ForeignKey(
        Reading,
        null=True,
        on_delete=models.PROTECT,
        related_name="masks",
        db_index=False,  # of most masks it is None, for which no index may be asked
        help_text="The reader whose own mask it is; None: it may count for the case",
    )
    inputs_sha256 = models.CharField(max_length=64, help_text="Digest of the annotations' digests and the grid")
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    sha256 = models.CharField(max_length=64)
    annotated_slices = models.JSONField(help_text="Slice indices that a person submitted")
    unannotated_slices = models.JSONField(help_text="Published slice indices that nobody submitted: empty in the mask")
    findings = models.JSONField(default=list)
    labels = models.JSONField(help_text="Value and name of each label it may hold, the one that counts most first")
    decoding = models.PositiveSmallIntegerField(default=DECODING, help_text="Which decoding of its saves it shows")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["reading"], condition=Q(reading__isnull=False), name="masks_of_a_reading")]
        constraints = [models.UniqueConstraint(fields=["case", "inputs_sha256"], name="one_mask_per_inputs")]

    def __str__(self) -> str:
        return f"mask {self.pk} of {self.case}"

    @property
    def path(self) -> Path:
        """The mask's NIfTI file."""
        return self.case.folder / self.file

    @property
    def label_names(self) -> dict[int, str]:
        """Name of each value, as a `Mask` carries it."""
        return {int(value): str(name) for value, name in self.labels}

    def is_of_today(self, labels: Mapping[int, str]) -> bool:
        """Whether it shows its saves as they are decoded now, rather than as an earlier version or protocol did.

        Args:
            labels: Those of the case's protocol.
        """
        return self.decoding == DECODING and self.labels == label_rows(labels)

    @property
    def blocking_findings(self) -> Sequence[Mapping[str, str]]:
        """The findings with which it cannot be approved; the others only say what was done."""
        return [finding for finding in self.findings if finding.get("level") != Level.INFO]

    @property
    def notes(self) -> Sequence[Mapping[str, str]]:
        """The findings that only say what was done."""
        return [finding for finding in self.findings if finding.get("level") == Level.INFO]

    def is_on(self, slices: Collection[int]) -> bool:
        """Whether these are the slices that somebody submitted: a save may move to another task as it was."""
        return sorted(self.annotated_slices) == sorted(slices)

    def annotators(self) -> set[int]:
        """Label Studio ids of everyone who made or changed any version of the annotations in this mask.

        The annotators of a restored version are those of its source. The same holds for a save that came after a
        restoration whose result Label Studio did not report: it may be the restored version.
        """
        return _people_of(self._versions())

    def is_drawn_by(self, person: User) -> bool:
        """Whether a person is an annotator of this mask, by Label Studio's word or a data manager's.

        A person who restored a version without a known annotator counts as its annotator.
        """
        versions = self._versions()
        if person.label_studio_id is not None and person.label_studio_id in _people_of(versions):
            return True
        named = NamedDrawer.objects.filter(person=person, annotation__in=versions)
        restored = Restoration.objects.filter(result__in=versions, person=person)
        return named.exists() or restored.exclude(source__in=Annotation.objects.all().proved()).exists()

    def has_annotator_named_by(self, person: User) -> bool:
        """Whether a version in this mask counts because this person named its annotator, in whatever role."""
        return NamedDrawer.objects.filter(annotation__in=self._versions(), named_by=person).exists()

    def corrected_share_of(self, person: User) -> float:
        """Share of its voxels that a person's own corrections changed, 0 to 1 and more where several did.

        Those under later corrections are among them: what they changed is still there. A decision between readers is
        its author's as a whole.
        """
        own = [one for one in self._layers().corrections if one.author_id == person.pk]
        return sum(one.changed_share if one.kind == CorrectionKind.CORRECTED else 1.0 for one in own)

    def is_own_work_of(self, person: User, *, largest_correction: float = 0.0) -> bool:
        """Whether a person may not approve it: an annotator of it, or one who named an annotator of it.

        Args:
            person: The person.
            largest_correction: Share of its voxels that they may have corrected all the same.
        """
        corrects_more = self.corrected_share_of(person) > largest_correction
        return corrects_more or self.is_drawn_by(person) or self.has_annotator_named_by(person)

    def is_in_doubt(self) -> bool:
        """Whether the annotator of a version in this mask is not known here (any more)."""
        return self._versions().unproved().exists()

    def _versions(self) -> AnnotationQuerySet:
        """Confirmed versions of this mask's annotations, and of those that they were restored from."""
        known: set[tuple[int, int]] = set()
        new = set(self.annotations.order_by().values_list(*_NUMBER)) | self._perhaps_restored() | self._corrected()
        while new - known:
            known |= new
            results = Restoration.objects.filter(_any_of(known, "result__"))
            new = set(results.values_list(*(f"source__{name}" for name in _NUMBER)))
        return Annotation.objects.filter(_any_of(known)).confirmed() if known else Annotation.objects.none()

    def _layers(self) -> Layers:
        """What its corrections are made of; two queries, one where it has none."""
        counting = list(self.corrections.all())
        if not counting:
            return Layers()
        afresh = CaseStage.objects.filter(case=self.case_id, is_fresh=True, opened_at__lte=self.created)
        since = afresh.order_by("opened_at").values_list("opened_at", flat=True).last()
        earlier = Correction.objects.filter(case=self.case_id, images_sha256=counting[0].images_sha256)
        earlier = earlier.filter(pk__lte=max(one.pk for one in counting))
        return layers_under(counting, earlier if since is None else earlier.filter(created__gte=since))

    def _corrected(self) -> set[tuple[int, int]]:
        """Numbers of the saves that its corrections keep something of: corrected ones, and those decided between."""
        layers = self._layers()
        found = Q()
        for index, digest in layers.saves:
            found |= Q(task__slice_index=index, content_sha256=digest)
        for one in layers.corrections:
            if one.kind == CorrectionKind.ADJUDICATED:
                found |= Q(reading__handed_in_at__lte=one.created, reading__row__is_control=False)
        saves = Annotation.objects.filter(found, task__case=self.case_id) if found else Annotation.objects.none()
        return set(saves.order_by().values_list(*_NUMBER))

    def _perhaps_restored(self) -> set[tuple[int, int]]:
        """Numbers of sources whose restoration had no known result, on slices that were saved since."""
        since = self.annotations.filter(task=OuterRef("source__task"), received_at__gt=OuterRef("created"))
        asked = Restoration.objects.filter(Exists(since), result__isnull=True)
        return set(asked.values_list(*(f"source__{name}" for name in _NUMBER)))


_NUMBER = ("project", "label_studio_id")


def _people_of(versions: AnnotationQuerySet) -> set[int]:
    return {person for pair in versions.values_list("completed_by", "updated_by") for person in pair} - {0}


def _any_of(numbers: set[tuple[int, int]], prefix: str = "") -> Q:
    """Saves of annotations, by project and number: whatever task they were in, one annotation is one history."""
    found = Q()
    for project in sorted({project for project, _ in numbers}):
        identifiers = [number for place, number in numbers if place == project]
        found |= Q(**{f"{prefix}project": project, f"{prefix}label_studio_id__in": identifiers})
    return found
