"""Django's handle on this app."""

from django.apps import AppConfig


class WorkConfig(AppConfig):
    """People's work: what is next, and what each has to do."""

    name = "annotation_backend.work"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Openings of review pages are noted, and how far masks agree."""
        from annotation_backend.work import reactions  # noqa: F401
