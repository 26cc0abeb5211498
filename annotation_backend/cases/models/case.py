"""Patient, Case, Series and the masks that came with them: the records behind a case's files."""

from dataclasses import replace
from pathlib import Path

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet

from annotation_backend.accounts.models import User
from annotation_backend.cases.models.image import CaseImage
from annotation_backend.cases.signals import annotated_asked, published_asked
from annotation_backend.studies.models import Study
from datasets.study.case import Consent
from datasets.study.protocol import UNKNOWN_TISSUE, Modality, Protocol


class Patient(models.Model):
    """A person whose images came into a study, known there by a code and a keyed hash of the hospital's identifier."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="patients")
    code = models.CharField(max_length=60, unique=True)
    pseudonym = models.CharField(max_length=64, help_text="HMAC-SHA-256; the key stays in the data folder")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "pseudonym"], name="one_patient_per_pseudonym")]

    def __str__(self) -> str:
        return self.code


class VerdictOfRegistration(models.TextChoices):
    """Whether a registration may be built upon; a check gives one of the first three, a person may leave an image out.

    The values of the checks are those of `curation.registration.quality`.
    """

    ACCEPT = "accept", "Accepted"
    LOOK = "look", "To be looked at"
    REJECT = "reject", "Rejected"
    LEFT_OUT = "left_out", "Left out of the case"


DOUBTFUL = (VerdictOfRegistration.LOOK, VerdictOfRegistration.REJECT)
"""Verdicts that keep a case from being built upon."""


class CaseQuerySet(QuerySet["Case"]):
    """Finds the cases that count."""

    def not_excluded(self) -> "CaseQuerySet":
        """Cases that are not excluded."""
        return self.filter(~Exists(Exclusion.objects.filter(case=OuterRef("pk"), ended__isnull=True)))

    def in_use(self) -> "CaseQuerySet":
        """Cases that people work on: not excluded, and not the doctor's rehearsal."""
        return self.not_excluded().filter(is_rehearsal=False)

    def sound(self) -> "CaseQuerySet":
        """Cases in use none of whose registrations is in doubt or rejected: only these are learned from and released.

        An image that a person left out is no image of the case, and holds nothing back.
        """
        return self.in_use().exclude(registrations__verdict__in=DOUBTFUL)

    def with_images(self) -> "CaseQuerySet":
        """Cases with the rows of their images, in a few queries for all of them."""
        return self.select_related("study").prefetch_related("images", "registrations")


class Case(models.Model):
    """One tumour of one patient: images that end up on the grid of the one that is drawn on."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="cases")
    code = models.CharField(max_length=60, unique=True)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="cases")
    tissue_type = models.CharField(max_length=30, default=UNKNOWN_TISSUE)
    anatomical_site = models.CharField(max_length=80, blank=True)
    consent = models.CharField(
        max_length=8,
        blank=True,
        choices=[(consent.value, consent.name.capitalize()) for consent in Consent],
        help_text="Whether the patient agreed that the images are given away; empty: nobody said",
    )
    source_sha256 = models.CharField(max_length=64, help_text="Digest of all series' source digests")
    is_rehearsal = models.BooleanField(default=False, help_text="The doctor's own; never reviewed, learned or released")
    findings = models.JSONField(default=list)
    picture_plane = models.JSONField(null=True, help_text="How a picture's pixel goes back to its voxel")
    images_sha256 = models.CharField(max_length=64, blank=True, help_text="Its images on its grid; empty until there")
    pictured_sha256 = models.CharField(max_length=64, blank=True, help_text="The images that the slices show")
    created = models.DateTimeField(auto_now_add=True)

    objects = CaseQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["study", "source_sha256"], name="one_case_per_source")]

    def __str__(self) -> str:
        return self.code

    @property
    def folder(self) -> Path:
        """Folder of the case's files."""
        return self.study.folder / "cases" / self.code

    @property
    def protocol(self) -> Protocol:
        """Its study's protocol; the doctor's rehearsal goes the short way of drawing and review, whatever its stages.

        A radiologist's centre slice, or the second of two readers, is nothing that it could do.
        """
        own = self.study.protocol
        return replace(own, stages=()) if self.is_rehearsal else own

    @property
    def tissue_words(self) -> str:
        """The tissue type as pages say it."""
        return self.tissue_type.replace("_", " ").capitalize()

    @property
    def drawn_role(self) -> str:
        """The image that annotators draw on."""
        return self.protocol.drawn_role(self.tissue_type)

    @property
    def is_registered(self) -> bool:
        """Whether its images lie on one grid, so that they can be drawn on; one image alone does by itself."""
        return bool(self.images_sha256)

    @property
    def shown_images(self) -> list[CaseImage]:
        """Its images on its grid without those that are left out, in the order of the protocol."""
        left = {row.role for row in self.registrations.all() if row.verdict == VerdictOfRegistration.LEFT_OUT}
        order = {role: number for number, role in enumerate(self.protocol.roles)}
        shown = [image for image in self.images.all() if image.role not in left]
        return sorted(shown, key=lambda image: (order.get(image.role, len(order)), image.role))

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of `shown_images`."""
        return tuple(image.role for image in self.shown_images)

    @property
    def registration_verdict(self) -> str:
        """The worst verdict on its registrations, without images that are left out; empty if one is unchecked."""
        verdicts = {row.verdict for row in self.registrations.all()}
        worst = (VerdictOfRegistration.REJECT, VerdictOfRegistration.LOOK, "")
        return next((str(one) for one in worst if one in verdicts), VerdictOfRegistration.ACCEPT.value)

    @property
    def verdict_words(self) -> str:
        """`registration_verdict` as pages say it; empty where one is unchecked."""
        verdict = self.registration_verdict
        return str(VerdictOfRegistration(verdict).label) if verdict else ""

    @property
    def exclusion(self) -> "Exclusion | None":
        """Why the case is left out; None while it is in use."""
        return next((row for row in self.exclusions.all() if row.ended is None), None)

    @property
    def is_annotated(self) -> bool:
        """Whether it ever had an annotation, also a deleted one, which can be restored."""
        return any(answer for _, answer in annotated_asked.send(sender=Case, case=self))

    @property
    def is_published(self) -> bool:
        """Whether its slices ever became tasks that annotators draw on."""
        return any(answer for _, answer in published_asked.send(sender=Case, case=self))


def title_of(case: Case, role: str) -> str:
    """What an image of a case is called on pages; its role, where the protocol does not know it (any more)."""
    protocol = case.protocol
    return protocol.image(role).title if role in protocol.roles else role


def modality_of(case: Case, role: str) -> str:
    """The machine that made an image of a case; MR, where the protocol does not know the image (any more)."""
    protocol = case.protocol
    return (protocol.image(role).modality if role in protocol.roles else Modality.MR).value


class Exclusion(models.Model):
    """A case left out with a reason, until somebody takes that back; rows are never deleted."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="exclusions")
    reason = models.CharField(max_length=200)
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Or a command")
    created = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["case"], condition=Q(ended__isnull=True), name="one_open_exclusion")
        ]

    def __str__(self) -> str:
        return f"exclusion of {self.case}"


class Series(models.Model):
    """One imported volume with its role in the case, on its own grid."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="series")
    role = models.CharField(max_length=16)
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    source_sha256 = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    evidence = models.JSONField(default=dict, help_text="Header facts and the reasons for the choice")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "role"], name="one_series_per_role")]

    def __str__(self) -> str:
        return f"{self.case} {self.role}"

    @property
    def title(self) -> str:
        """What the image is called on pages."""
        return title_of(self.case, self.role)

    @property
    def path(self) -> Path:
        """The volume's NIfTI file."""
        return self.case.folder / self.file


class ImportedMask(models.Model):
    """A mask that came with the studies, on its own series' grid; a reference, never an approved mask."""

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="imported_masks")
    roi_name = models.CharField(max_length=80, help_text="Known words of the name only")
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    source_sha256 = models.CharField(max_length=64, help_text="Of the file that it came from")
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.series} {self.roi_name}"

    @property
    def path(self) -> Path:
        """The mask's NIfTI file."""
        return self.series.case.folder / self.file
