"""Django's handle on this app."""

from django.apps import AppConfig


class CasesConfig(AppConfig):
    """Patients, cases, their series, registrations and slices, as curation brought them in."""

    name = "annotation_backend.cases"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """A registration whose job is given up has failed."""
        from annotation_backend.cases import reactions  # noqa: F401
