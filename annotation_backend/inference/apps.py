"""Django's handle on this app."""

from django.apps import AppConfig


class InferenceConfig(AppConfig):
    """Predictions: loads the serving model and lets it draw on a case."""

    name = "annotation_backend.inference"
    default_auto_field = "django.db.models.BigAutoField"
