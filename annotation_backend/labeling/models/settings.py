"""Settings of a project: each change is a row of its own, with person and time."""

from django.db import models

from annotation_backend.accounts.models import User
from annotation_backend.labeling.masks.controls import MaskFormat
from annotation_backend.labeling.models.project import LabelingProject


class SettingsChange(models.Model):
    """The settings that a project has from `created` on; the newest row counts, the older ones are the history."""

    project = models.ForeignKey(LabelingProject, on_delete=models.CASCADE, related_name="settings_changes")
    mask_format = models.CharField(max_length=10, choices=[(one.value, one.value) for one in MaskFormat])
    labels = models.JSONField(default=dict, help_text="Label to whether it is offered, where that was chosen")
    prompt_models = models.JSONField(help_text="Kind of prompt to the name and version of the model that answers it")
    person = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", help_text="None for a command"
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"settings {self.pk} of {self.project}"


class ProjectTab(models.Model):
    """A tab that was made in Label Studio's data manager; people may rename, change or delete it there."""

    project = models.ForeignKey(LabelingProject, on_delete=models.CASCADE, related_name="tabs")
    purpose = models.CharField(max_length=30, help_text="A task's state, or whose annotations it shows")
    label_studio_id = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "purpose"], name="one_tab_per_purpose")]

    def __str__(self) -> str:
        return f"tab {self.purpose} of {self.project}"
