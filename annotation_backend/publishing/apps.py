"""Django's handle on this app."""

from django.apps import AppConfig


class PublishingConfig(AppConfig):
    """Releases: frozen datasets of approved cases."""

    name = "annotation_backend.publishing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connects the receivers."""
        from annotation_backend.publishing import reactions  # noqa: F401
