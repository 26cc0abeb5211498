"""Django's handle on this app."""

from django.apps import AppConfig


class HistoryConfig(AppConfig):
    """Raw events and what is worked out of them."""

    name = "annotation_backend.history"
    default_auto_field = "django.db.models.BigAutoField"
