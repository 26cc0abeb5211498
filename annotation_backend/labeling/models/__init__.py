"""The Label Studio project, its tasks, the Annotations that came back, and the masks assembled from them."""

from annotation_backend.labeling.models.annotation import (
    DENIED,
    Annotation,
    AnnotationDeletion,
    AnnotationQuerySet,
    Confirmation,
    Outcome,
    ReceivedBy,
)
from annotation_backend.labeling.models.mask import CaseMask
from annotation_backend.labeling.models.project import FormerTask, LabelingProject, LabelingTask, TaskState, number_of
from annotation_backend.labeling.models.settings import ProjectTab, SettingsChange
from annotation_backend.labeling.models.version import AnnotationFinding, FindingKind, Restoration, VersionMasks
from annotation_backend.labeling.models.watch import (
    MISLEADING,
    OF_TASKS,
    Secret,
    SecretRenewal,
    StudioChange,
    Subject,
)

__all__ = [
    "DENIED",
    "MISLEADING",
    "OF_TASKS",
    "Annotation",
    "AnnotationDeletion",
    "AnnotationFinding",
    "AnnotationQuerySet",
    "CaseMask",
    "Confirmation",
    "FindingKind",
    "FormerTask",
    "LabelingProject",
    "LabelingTask",
    "Outcome",
    "ProjectTab",
    "ReceivedBy",
    "Restoration",
    "Secret",
    "SecretRenewal",
    "SettingsChange",
    "StudioChange",
    "Subject",
    "TaskState",
    "VersionMasks",
    "number_of",
]
