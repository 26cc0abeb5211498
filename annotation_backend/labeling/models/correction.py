"""Correction: a mask that a person or a model put in the place of drawn slices, as a version with its author."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.db import models

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.registry.models import Model
from annotation_backend.stages.models import CaseStage


class CorrectionKind(models.TextChoices):
    """How a correction came about."""

    CORRECTED = "corrected", "Corrected by a reviewer"
    ADJUDICATED = "adjudicated", "Decided between readers"
    AUTOMATIC = "automatic", "Drawn by a model"
    SIMULATED = "simulated", "Drawn by a simulated annotator"


class Correction(models.Model):
    """A mask on the case's grid that counts on some slices, until somebody draws one of them again; never changed.

    On each of its slices it stands on the save that counted when it was made: a later save of the slice counts more.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="corrections")
    row = models.ForeignKey(CaseStage, null=True, on_delete=models.PROTECT, related_name="corrections")
    author = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="corrections", help_text="None for a model"
    )
    model = models.ForeignKey(Model, null=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=CorrectionKind.choices)
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    sha256 = models.CharField(max_length=64)
    images_sha256 = models.CharField(max_length=64, help_text="The case's images when it was made")
    slices = models.JSONField(help_text="Slice index to the digest of the save that it replaces; empty for none")
    changed_share = models.FloatField(
        default=1.0, help_text="Voxels that differ from the mask before, of those in either"
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"correction {self.pk} of {self.case}"

    @property
    def path(self) -> Path:
        """The mask's NIfTI file."""
        return self.case.folder / self.file

    @property
    def replaces(self) -> Mapping[int, str]:
        """By slice index: the digest of the save that it replaces; empty for none."""
        return {int(index): digest for index, digest in self.slices.items()}


@dataclass(frozen=True)
class Layers:
    """What lies under the corrections of a mask: a correction holds what was there before, but for what it changed.

    Args:
        corrections: All that left something in the mask, also where later ones of the same slices count.
        saves: Slice and digest of the saves that were corrected.
    """

    corrections: list[Correction] = field(default_factory=list)
    saves: set[tuple[int, str]] = field(default_factory=set)


def layers_under(counting: Iterable[Correction], earlier: Iterable[Correction]) -> Layers:
    """The layers under the corrections that count in a mask.

    A decision between readers, a model's mask, or a simulated annotator's holds nothing of what was there before.

    Args:
        counting: The corrections that count on some slice.
        earlier: All corrections of the case that are as old or older, on the same images.
    """
    top: dict[int, Correction] = {}
    for one in sorted(counting, key=lambda each: each.pk):
        top.update(dict.fromkeys(one.replaces, one))
    found = Layers()
    for index, newest in top.items():
        digest = newest.replaces[index]
        for one in sorted(earlier, key=lambda each: -each.pk):
            if one.pk > newest.pk or one.replaces.get(index) != digest:
                continue
            if one not in found.corrections:
                found.corrections.append(one)
            if one.kind != CorrectionKind.CORRECTED:
                break
        else:
            if digest:
                found.saves.add((index, digest))
    return found
