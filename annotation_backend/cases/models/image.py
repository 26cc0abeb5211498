"""An image on its case's grid."""

from pathlib import Path

from django.db import models


class CaseImage(models.Model):
    """One image of a case on the case's grid."""

    case = models.ForeignKey("cases.Case", on_delete=models.CASCADE, related_name="images")
    role = models.CharField(max_length=16)
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["case", "role"], name="one_image_per_role")]

    def __str__(self) -> str:
        return f"{self.role} on the grid of {self.case}"

    @property
    def path(self) -> Path:
        """The volume's NIfTI file."""
        return self.case.folder / self.file
