"""Django's handle on this app."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The audit log and the stories of cases; it has no tables of its own."""

    name = "annotation_backend.audit"
