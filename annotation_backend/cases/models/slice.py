"""Slice: one exported picture and the capability that opens it in a browser."""

import secrets
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import models
from django.utils import timezone

from annotation_backend.cases.models.case import Case, choices
from datasets.case import SeriesRole
from datasets.intensity import WINDOW_PRESETS


class Slice(models.Model):
    """One exported picture: its case, sequence and index, and the capability that opens it in a browser."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="slices")
    role = models.CharField(max_length=8, choices=choices(SeriesRole))
    index = models.PositiveIntegerField()
    file = models.CharField(max_length=200, help_text="Relative to the case's folder")
    sha256 = models.CharField(max_length=64)
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
            The PNG file; None where there is no such preset, or the pictures were exported before there was.
        """
        from curation.slices import name_in_window

        if window not in {preset.name for preset in WINDOW_PRESETS}:
            return None
        drawing = self.path
        path = drawing if window == WINDOW_PRESETS[0].name else drawing.with_name(name_in_window(drawing.name, window))
        return path if path.is_file() else None

    def urls_in_windows(self) -> dict[str, str]:
        """Address of this slice in each window that there is, by the preset's name; the one for drawing first."""
        names = [preset.name for preset in WINDOW_PRESETS if self.path_in(preset.name)]
        return {name: self.url if name == WINDOW_PRESETS[0].name else f"{self.url}?window={name}" for name in names}

    def renew_token(self) -> None:
        """Draws a new capability; the old address stops working."""
        self.token = secrets.token_urlsafe(32)
        self.expires = timezone.now() + timedelta(days=settings.PICTURE_LIFETIME_DAYS)
        self.revoked = False

    @property
    def opens(self) -> bool:
        """Whether the capability is still good."""
        return not self.revoked and timezone.now() < self.expires

    @property
    def url(self) -> str:
        """Absolute address that a browser can open without signing in."""
        return f"{settings.MASKLOOP_URL}/pictures/{self.token}.png"
