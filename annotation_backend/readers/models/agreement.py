"""Agreement of two readers' masks, kept with the masks that it was worked out from; and what it makes of a study."""

from django.db import models
from django.utils.timezone import now

from annotation_backend.labeling.models import CaseMask
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.models import Study

FIGURES = ("dice", "surface_dice_1mm", "hd95_mm", "volume_ratio")
"""Fields of `PairAgreement` that say how far two masks agree."""


class PairAgreement(models.Model):
    """How far two readers' masks of one case agree in one label; never changed, but for whether both still count."""

    row = models.ForeignKey(CaseStage, on_delete=models.PROTECT, related_name="agreements")
    first = models.ForeignKey(CaseMask, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(CaseMask, on_delete=models.PROTECT, related_name="+")
    masks_sha256 = models.CharField(max_length=64, help_text="Digest of both masks' digests")
    label = models.CharField(max_length=60)
    dice = models.FloatField()
    surface_dice_1mm = models.FloatField()
    hd95_mm = models.FloatField(null=True, help_text="None: only one of the two drew anything")
    volume_ratio = models.FloatField(null=True)
    volume_ml = models.FloatField()
    other_volume_ml = models.FloatField()
    by_slice = models.JSONField(help_text="Slice index to Dice, surface Dice at 1 mm and HD95 in mm")
    is_current = models.BooleanField(default=True, help_text="Both masks are what their readers have drawn")
    created = models.DateTimeField(default=now)

    class Meta:
        ordering = ["row__case__code", "row", "first", "second", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["first", "second", "label"], name="one_agreement_per_pair_and_label")
        ]

    def __str__(self) -> str:
        return f"{self.label} of {self.first} and {self.second}"

    @property
    def slices(self) -> list[tuple[int, list[float | None]]]:
        """Index and figures of each slice that either of the two drew on."""
        return [(int(index), figures) for index, figures in sorted(self.by_slice.items(), key=lambda one: int(one[0]))]


class StudyAgreement(models.Model):
    """What the readers' agreement is over a study, with intervals by patient; worked out by a job."""

    study = models.OneToOneField(Study, on_delete=models.CASCADE, related_name="agreement")
    content = models.JSONField(default=dict)
    controls = models.JSONField(default=list, help_text="What came of control cases, by stage and person")
    made_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"agreement of readers in {self.study}"
