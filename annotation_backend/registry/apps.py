"""Django's handle on this app."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """The registered models, and the one that serves each kind of prompt."""

    name = "annotation_backend.registry"
    default_auto_field = "django.db.models.BigAutoField"
