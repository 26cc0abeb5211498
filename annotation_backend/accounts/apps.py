"""Django's handle on this app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People, their roles and permissions, and how they sign in."""

    name = "annotation_backend.accounts"
    default_auto_field = "django.db.models.BigAutoField"
