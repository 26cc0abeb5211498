"""Django's handle on the project's own pages and commands (home, up, doctor)."""

from django.apps import AppConfig


class AnnotationBackendConfig(AppConfig):
    """Home page, shared templates, and the commands that touch every app."""

    name = "annotation_backend"
    label = "annotation_backend"
