"""User: a person with one role. SignInCount: how often a password was tried."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Role(models.TextChoices):
    """A person's role, which decides what they may do."""

    ADMINISTRATOR = "administrator", "Administrator"
    DATA_MANAGER = "data_manager", "Data manager"
    RADIOLOGIST = "radiologist", "Radiologist"
    ANNOTATOR = "annotator", "Annotator"


class User(AbstractUser):
    """A person; the user name is the e-mail address, the same as in Label Studio."""

    role = models.CharField(max_length=20, choices=Role.choices, default=Role.ANNOTATOR)
    label_studio_id = models.PositiveIntegerField(null=True, blank=True, unique=True)
    draws_since = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the account in Label Studio became theirs: before, everybody there could have made it",
    )

    def __str__(self) -> str:
        return f"{self.get_role_display()} {self.pk}"

    def has_role(self, *roles: Role) -> bool:
        """Whether the person has one of `roles`; an administrator may do what a data manager may."""
        return self.role in roles or (self.role == Role.ADMINISTRATOR and Role.DATA_MANAGER in roles)


class SignInCount(models.Model):
    """Passwords that were tried in a row for one account, from one address or in one browser (`throttle`)."""

    key = models.CharField(max_length=80, unique=True, help_text="What is counted, and a keyed hash of which")
    tries = models.PositiveIntegerField(default=0)
    locked_until = models.DateTimeField(null=True)
    changed = models.DateTimeField(auto_now=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.tries} tries of {self.key[:16]}"
