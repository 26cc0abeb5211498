"""Withdrawal: a patient who is in no further training and no further version of a release, for good."""

from django.db import models

from annotation_backend.accounts.models import User
from annotation_backend.cases.models.case import Patient


class Withdrawal(models.Model):
    """That a patient was withdrawn; nobody takes it back, and no case of theirs comes in again."""

    patient = models.OneToOneField(Patient, on_delete=models.PROTECT, related_name="withdrawal")
    reason = models.CharField(max_length=200, help_text="For people of the study; it goes into no file")
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Or a command")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"withdrawal of {self.patient}"
