"""Django's handle on this app."""

from django.apps import AppConfig


class LabelingConfig(AppConfig):
    """Label Studio: its process, project and tasks, its ML backend protocol, and the annotations that come back."""

    name = "annotation_backend.labeling"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """A newly promoted automatic model draws the waiting tasks anew."""
        from annotation_backend.labeling import reactions  # noqa: F401
