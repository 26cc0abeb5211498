"""Study, the versions of its protocol; Membership: who has which role in it, its changes, and invitations to one."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from datasets.study.protocol import Protocol
from datasets.study.protocol_document import read_protocol

MOST_NAME = 40

STUDY_ROLES = (Role.DATA_MANAGER, Role.RADIOLOGIST, Role.ANNOTATOR)
"""The roles that a person may have in a study; an administrator's is one in the installation."""


class Study(models.Model):
    """One dataset in the making: its protocol, people, project in Label Studio, cases, models and releases."""

    name = models.CharField(max_length=MOST_NAME, unique=True, help_text="Small letters, digits and hyphens")
    document = models.TextField(help_text="The protocol in force, as TOML; its history is the protocol's versions")
    is_first = models.BooleanField(default=False, help_text="Its codes are C0001 and P0001, its folder the data folder")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        """Folder of its files."""
        return Path(settings.DATA_FOLDER) / ("" if self.is_first else f"studies/{self.name}")

    def code(self, prefix: str, number: int) -> str:
        """The code of one of its records, which no other study has.

        Args:
            prefix: ``C`` of cases, ``P`` of patients.
            number: From 1.
        """
        return f"{'' if self.is_first else f'{self.name}-'}{prefix}{number:04d}"

    @property
    def protocol(self) -> Protocol:
        """Its protocol as it is in force."""
        return protocol_of(self.document)


class ProtocolVersion(models.Model):
    """A study's protocol from `created` on; the newest is the one in force, the older ones are the history."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="protocol_versions")
    document = models.TextField(help_text="TOML, as a person gave it")
    digest = models.CharField(max_length=64)
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Or a command")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"protocol {self.digest[:12]} of {self.study}"

    @property
    def protocol(self) -> Protocol:
        """The document's value."""
        return protocol_of(self.document)


class Membership(models.Model):
    """A person's role in a study; without one, the study is not there for them."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="memberships")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=[(role.value, role.label) for role in STUDY_ROLES])

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "person"], name="one_role_per_study")]

    def __str__(self) -> str:
        return f"{self.get_role_display()} {self.person_id} of {self.study}"


class MembershipChange(models.Model):
    """A role that was given or taken, when and by whom; rows are never changed."""

    study = models.ForeignKey(
        Study, null=True, on_delete=models.CASCADE, related_name="membership_changes", help_text="None: installation"
    )
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="membership_changes")
    former = models.CharField(max_length=20, blank=True, choices=[(role.value, role.label) for role in Role])
    role = models.CharField(max_length=20, blank=True, choices=[(role.value, role.label) for role in Role])
    by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Or a command")
    created = models.DateTimeField(default=now)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.former or 'no role'} to {self.role or 'no role'} of {self.person_id}"

    def save(self, **kwargs: Any) -> None:
        """Stores a new row; refuses to change a stored one."""
        if not self._state.adding:
            raise TypeError("A change of a membership is never changed; another one follows it.")
        super().save(**kwargs)


class Invitation(models.Model):
    """A role in a study that waits for whoever has an e-mail address; its link opens once."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(help_text="In `one_spelling`")
    role = models.CharField(max_length=20, choices=[(role.value, role.label) for role in STUDY_ROLES])
    token_sha256 = models.CharField(max_length=64, unique=True, help_text="Of the link, which is stored nowhere")
    by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created = models.DateTimeField(default=now)
    expires = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="When it was accepted or withdrawn")
    accepted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"invitation {self.pk} to {self.study}"


@lru_cache(maxsize=64)
def protocol_of(document: str) -> Protocol:
    """The protocol of a stored document, read once."""
    return read_protocol(document)
