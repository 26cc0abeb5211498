"""Django's handle on this app."""

from django.apps import AppConfig


class ReviewConfig(AppConfig):
    """Radiologists' verdicts on a case's mask."""

    name = "annotation_backend.review"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """A verdict ends when something that its radiologist looked at changes."""
        from annotation_backend.review import reactions  # noqa: F401
