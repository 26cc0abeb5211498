"""Django's handle on this app."""

from django.apps import AppConfig


class ReviewConfig(AppConfig):
    """Radiologists' verdicts on a case's mask."""

    name = "annotation_backend.review"
    default_auto_field = "django.db.models.BigAutoField"
