"""User: a person, whose roles are those in studies. SignInCount: how often a password was tried."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Role(models.TextChoices):
    """What a person is: in a study, which decides what they may do there, or of the whole installation."""

    ADMINISTRATOR = "administrator", "Administrator"
    DATA_MANAGER = "data_manager", "Data manager"
    RADIOLOGIST = "radiologist", "Radiologist"
    ANNOTATOR = "annotator", "Annotator"


class User(AbstractUser):
    """A person; the user name is the e-mail address, the same as in Label Studio."""

    is_administrator = models.BooleanField(
        default=False, help_text="All studies are there for them, and they may do there what a data manager may"
    )
    label_studio_id = models.PositiveIntegerField(null=True, blank=True, unique=True)
    draws_since = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the account in Label Studio became theirs: before, everybody there could have made it",
    )

    def __str__(self) -> str:
        return f"{Role.ADMINISTRATOR.label if self.is_administrator else 'Person'} {self.pk}"


class SignInCount(models.Model):
    """Passwords that were tried in a row for one account, from one address or in one browser (`throttle`)."""

    key = models.CharField(max_length=80, unique=True, help_text="What is counted, and a keyed hash of which")
    tries = models.PositiveIntegerField(default=0)
    locked_until = models.DateTimeField(null=True)
    changed = models.DateTimeField(auto_now=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.tries} tries of {self.key[:16]}"
