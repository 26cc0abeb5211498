"""Slice: one exported picture and the capability that opens it in a browser."""

import secrets
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import models
from django.utils import timezone

from annotation_backend.cases.models.case import Case
from datasets.image.intensity import STANDARD, WINDOW_NAMES


class Slice(models.Model):
    """One exported picture: its case, sequence and index, and the capability that opens it in a browser."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="slices")
    role = models.CharField(max_length=16)
    index = models.PositiveIntegerField()
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    sha256 = models.CharField(max_length=64)
    windows = models.JSONField(default=dict, help_text="Digests of the same slice in other windows, by their names")
    token = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField()
    revoked = models.BooleanField(default=False)

    class Meta:
        ordering = ["case", "index", "role"]
        constraints = [models.UniqueConstraint(fields=["case", "role", "index"], name="one_picture_per_slice")]

    def __str__(self) -> str:
        return f"{self.case} {self.role} {self.index}"

    @property
    def path(self) -> Path:
        """The PNG file."""
        return self.case.folder / self.file

    def path_in(self, window: str) -> Path | None:
        """The same slice in another window.

        Args:
            window: A preset's name; any other word, however it was meant, names no file.

        Returns:
            The PNG file; None where no such picture was exported.
        """
        from curation.slices.export import name_in_window

        if self.digest_in(window) is None:
            return None
        drawing = self.path
        return drawing if window == STANDARD.name else drawing.with_name(name_in_window(drawing.name, window))

    def digest_in(self, window: str) -> str | None:
        """Digest of the picture in a window; None where no such picture was exported."""
        return self.sha256 if window == STANDARD.name else self.windows.get(window)

    def urls_in_windows(self) -> dict[str, str]:
        """Address of this slice in each window that there is, by the preset's name; the one for drawing first."""
        names = [name for name in WINDOW_NAMES if self.digest_in(name)]
        return {name: self.url if name == STANDARD.name else f"{self.url}?window={name}" for name in names}

    def renew_token(self) -> None:
        """Draws a new capability; the old address stops working."""
        self.token = secrets.token_urlsafe(32)
        self.expires = timezone.now() + timedelta(days=settings.PICTURE_LIFETIME_DAYS)
        self.revoked = False

    @property
    def opens(self) -> bool:
        """Whether the capability is still good; an excluded case's is not, whatever was renewed meanwhile."""
        return not self.revoked and timezone.now() < self.expires and self.case.exclusion is None

    @property
    def url(self) -> str:
        """Absolute address that a browser can open without signing in."""
        return f"{settings.MASKLOOP_URL}/pictures/{self.token}.png"
