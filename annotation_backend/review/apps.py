"""Django's handle on this app."""

from django.apps import AppConfig


class ReviewConfig(AppConfig):
    """Radiologists' verdicts on a case's mask."""

    name = "annotation_backend.review"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """What was looked at ends a verdict when it changes."""
        from annotation_backend.review import reactions  # noqa: F401
