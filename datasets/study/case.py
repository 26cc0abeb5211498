"""Case: one tumour of one patient, with its images on one grid, and the words used to describe it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from datasets.errors import RejectedInput
from datasets.image.volume import Grid, Volume


class Consent(StrEnum):
    """Whether a patient agreed that their images and masks are given away."""

    UNSAID = ""
    GIVEN = "given"
    REFUSED = "refused"


class QualityScore(StrEnum):
    """A reviewer's score of a mask, with the meanings of the InteractiveNet paper's Table S3."""

    EXCELLENT = "excellent"
    SUFFICIENT = "sufficient"
    INSUFFICIENT = "insufficient"
    INCORRECT = "incorrect"
    CANNOT_LOCATE = "cannot_locate_tumour"


QUALITY_MEANINGS = {
    QualityScore.EXCELLENT: "Perfectly aligned with the tumour, no adjustment needed: overlap of at least 95 %.",
    QualityScore.SUFFICIENT: "Aligned with the tumour, could benefit from minor adjustments: overlap of at least 75 %.",
    QualityScore.INSUFFICIENT: "Misses parts or covers normal tissue, major adjustments: overlap of at least 50 %.",
    QualityScore.INCORRECT: "Does not overlap with the tumour or misses large areas of it: overlap below 50 %.",
    QualityScore.CANNOT_LOCATE: "The tumour cannot be located in the image.",
}


@dataclass(frozen=True, eq=False)
class CaseVolumes:
    """The images of a case, on one grid.

    Args:
        images: Role to volume, in the order of the case's protocol; at least one.

    Raises:
        RejectedInput: There is no image (``case-no-image``).
        GeometryError: The images lie on different grids.
    """

    images: Mapping[str, Volume]

    def __post_init__(self) -> None:
        if not self.images:
            raise RejectedInput("case-no-image", "A case has at least one image.", remedy="Give it its images.")
        for role, volume in self.images.items():
            volume.grid.require_match(self.grid, what=f"{role.upper()} and {self.roles[0].upper()} of a case")

    def __getitem__(self, role: str) -> Volume:
        """The image of a role.

        Raises:
            KeyError: The case has none.
        """
        return self.images[role]

    @property
    def roles(self) -> tuple[str, ...]:
        """The images' roles, in their order."""
        return tuple(self.images)

    @property
    def grid(self) -> Grid:
        """The one grid."""
        return next(iter(self.images.values())).grid
