"""Changes that somebody made in Label Studio to what we left there, and renewals of secrets."""

from django.db import models

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models.project import LabelingProject


class Secret(models.TextChoices):
    """A secret by which Label Studio proves to us that a request is its own."""

    WEBHOOK = "webhook", "the webhook's header"
    ML_BACKEND = "ml-backend", "the ML backend's password"


class SecretRenewal(models.Model):
    """A secret was seen elsewhere and is another one since; the secret itself is in no database."""

    secret = models.CharField(max_length=12, choices=Secret.choices)
    reason = models.CharField(max_length=100)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.get_secret_display()} was renewed: {self.reason}"


class Subject(models.TextChoices):
    """The part of Label Studio that is compared with what we left there."""

    INTERFACE = "interface", "labelling interface"
    SETTING = "setting", "project's settings"
    BACKEND = "backend", "ML backend"
    WEBHOOK = "webhook", "webhook"
    STORAGE = "storage", "cloud storage"
    TOKENS = "tokens", "API tokens"
    PICTURE = "picture", "picture's address"
    STATE = "state", "task's state"
    COMMENT = "comment", "reviewer's comment"
    TASK_DATA = "data", "task's data"
    PREDICTION = "prediction", "prediction"


MISLEADING = (Subject.INTERFACE, Subject.BACKEND, Subject.PICTURE, Subject.PREDICTION)
"""While one of these differs, annotators may have drawn for something else than what we asked."""

OF_TASKS = (Subject.PICTURE, Subject.STATE, Subject.COMMENT, Subject.TASK_DATA, Subject.PREDICTION)


NONE_OF_OURS, TASK_GONE = "a task that is none of ours", "a task of ours is gone"


class StudioChange(models.Model):
    """Something in Label Studio was not as we left it, until a person has looked at it; those of a kind are one row."""

    project = models.ForeignKey(LabelingProject, on_delete=models.CASCADE, related_name="studio_changes")
    case = models.ForeignKey(Case, null=True, on_delete=models.CASCADE, related_name="studio_changes")
    subject = models.CharField(max_length=12, choices=Subject.choices)
    name = models.CharField(max_length=60, help_text="What of it, in our words")
    slices = models.JSONField(default=list, help_text="Indices, where it is about tasks")
    expected = models.CharField(max_length=64, help_text="SHA-256 of what we left there; empty for nothing")
    found = models.CharField(max_length=64, help_text="SHA-256 of what was there last; empty for nothing")
    times = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField(null=True, help_text="Where Label Studio says so")
    changed_by = models.PositiveIntegerField(default=0, help_text="Label Studio's number of a person; 0: not said")
    good_until = models.DateTimeField(null=True, help_text="When it was looked at last and was as we left it")
    mended_at = models.DateTimeField(null=True)
    seen_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="seen_studio_changes")
    seen_at = models.DateTimeField(null=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.get_subject_display()}: {self.name}"

    @property
    def person(self) -> User | None:
        """The person who changed it, where Label Studio says so and the person has an account here."""
        return User.objects.filter(label_studio_id=self.changed_by).first() if self.changed_by else None

    @property
    def advice(self) -> str:
        """Advice on what a person still has to do; empty where nothing is left."""
        return _OF_TASKS.get(self.name) or _ADVICE.get(Subject(self.subject), "")


_ADVICE = {
    Subject.BACKEND: "Label Studio gives the administrator's token to every ML backend: where a foreign address was "
    "there, draw a new token (Account & Settings there), put it into .env as LABEL_STUDIO_TOKEN, and restart.",
    Subject.WEBHOOK: "Saves meanwhile may have been sent to a foreign address.",
    Subject.STORAGE: "Annotations may have been copied to a foreign place.",
}

_OF_TASKS = {
    NONE_OF_OURS: "It is in no tab any more, and its comment says so. Annotations in it are in no mask: have the slice "
    "drawn in its own task, then delete this one in Label Studio.",
    TASK_GONE: "Its annotations stay here. `manage.py publish_tasks` makes it anew, and nothing else does.",
}
