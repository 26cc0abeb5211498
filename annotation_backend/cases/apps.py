"""Django's handle on this app."""

from django.apps import AppConfig


class CasesConfig(AppConfig):
    """Patients, cases, their series, registrations and slices: what curation brought in."""

    name = "annotation_backend.cases"
    default_auto_field = "django.db.models.BigAutoField"
