"""Django's handle on this app."""

from django.apps import AppConfig


class StudiesConfig(AppConfig):
    """Studies, their protocols and their people."""

    name = "annotation_backend.studies"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Accounts ask who needs a second factor, and who is expected."""
        from annotation_backend.studies import reactions  # noqa: F401
