"""Django's handle on this app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People and their roles: who may do what."""

    name = "annotation_backend.accounts"
    default_auto_field = "django.db.models.BigAutoField"
