"""A person's coming into Label Studio: good once, and only as long as they are signed in here."""

from django.db import models

from annotation_backend.accounts.models import User


class StudioEntry(models.Model):
    """A ticket that was made for a person; with it goes the session in Label Studio that it began."""

    word = models.CharField(max_length=64, unique=True, help_text="Drawn at random; the ticket and that session say it")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    session = models.CharField(max_length=40, help_text="The session here; when it ends, so does the one there")
    made_at = models.DateTimeField(auto_now_add=True, db_index=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"entry {self.pk} of {self.person}"
