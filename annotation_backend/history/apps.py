"""Django's handle on this app."""

from django.apps import AppConfig


class HistoryConfig(AppConfig):
    """Raw events and what is worked out of them."""

    name = "annotation_backend.history"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Pages of cases that are opened become events."""
        from annotation_backend.history import reactions  # noqa: F401
