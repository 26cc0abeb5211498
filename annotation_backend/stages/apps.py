"""Django's handle on this app."""

from django.apps import AppConfig


class StagesConfig(AppConfig):
    """The stages of cases, assignments and readings."""

    name = "annotation_backend.stages"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """A study's cases follow a changed protocol."""
        from annotation_backend.stages import reactions  # noqa: F401
