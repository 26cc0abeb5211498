"""CaseMask: a mask volume assembled from the annotations of a case's slices."""

from pathlib import Path

from django.db import models
from django.db.models import Exists, OuterRef

from annotation_backend.cases.models import Case
from annotation_backend.labeling.models.annotation import Annotation


class CaseMask(models.Model):
    """A mask volume assembled from the annotations of a case's slices, on the case's grid; never changed."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="masks")
    annotations = models.ManyToManyField(Annotation, related_name="masks")
    inputs_sha256 = models.CharField(max_length=64, help_text="Digest of the annotations' digests and the grid")
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    sha256 = models.CharField(max_length=64)
    annotated_slices = models.JSONField(help_text="Slice indices that a person submitted")
    unannotated_slices = models.JSONField(help_text="Published slice indices that nobody submitted: empty in the mask")
    findings = models.JSONField(default=list)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["case", "inputs_sha256"], name="one_mask_per_inputs")]

    def __str__(self) -> str:
        return f"mask {self.pk} of {self.case}"

    @property
    def path(self) -> Path:
        """The mask's NIfTI file."""
        return self.case.folder / self.file

    def drawers(self) -> set[int]:
        """Label Studio ids of everyone who made or changed any version of the annotations in this mask."""
        drawn = self.annotations.filter(project=OuterRef("project"), label_studio_id=OuterRef("label_studio_id"))
        versions = Annotation.objects.not_denied().filter(Exists(drawn))
        people = {person for pair in versions.values_list("completed_by", "updated_by") for person in pair}
        return people - {0}
