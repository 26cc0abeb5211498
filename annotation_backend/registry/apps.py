"""Django's handle on this app."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """The registered models, and the one that serves each kind of prompt."""

    name = "annotation_backend.registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """A new study is given the models that fit it."""
        from annotation_backend.registry import reactions  # noqa: F401
