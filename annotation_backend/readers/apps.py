"""Django's handle on this app."""

from django.apps import AppConfig


class ReadersConfig(AppConfig):
    """Agreement of readers, adjudication, and control cases."""

    name = "annotation_backend.readers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Readings that are handed in are compared, and control cases among them are looked at."""
        from annotation_backend.readers import reactions  # noqa: F401
