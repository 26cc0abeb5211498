"""Django's handle on this app."""

from django.apps import AppConfig


class InferenceConfig(AppConfig):
    """Predictions: loads the serving model and lets it draw on a case."""

    name = "annotation_backend.inference"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Limits this process's memory to its share of the machine's, and connects the signals for sessions."""
        from annotation_backend.inference import reactions  # noqa: F401
        from annotation_backend.machine import cache_bytes
        from training.memory import process_memory

        process_memory().set_limit(cache_bytes())
