"""OwnPrediction: a prediction on a task that is shown to one person alone, in place of the others."""

from django.db import models

from annotation_backend.accounts.models import User
from annotation_backend.labeling.models.project import LabelingTask


class OwnPrediction(models.Model):
    """A prediction that one person is shown in place of those that everybody is."""

    task = models.ForeignKey(LabelingTask, on_delete=models.CASCADE, related_name="own_predictions")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="own_predictions")
    label_studio_id = models.PositiveIntegerField(help_text="Label Studio's number of the prediction")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "person"], name="one_own_prediction")]

    def __str__(self) -> str:
        return f"prediction {self.label_studio_id} for person {self.person_id}"
