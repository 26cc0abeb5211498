"""Django's handle on this app."""

from django.apps import AppConfig


class LearningConfig(AppConfig):
    """Snapshots of approved masks, training runs, and the models that come of them."""

    name = "annotation_backend.learning"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connects the signal of Label Studio's training button, which queues a training."""
        from annotation_backend.learning import reactions  # noqa: F401
