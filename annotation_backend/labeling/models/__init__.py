"""The Label Studio project, its tasks, the Annotations that came back, and the masks assembled from them."""

from annotation_backend.labeling.models.annotation import (
    ANNOTATION,
    EVIDENCE,
    Annotation,
    AnnotationDeletion,
    AnnotationQuerySet,
    Confirmation,
    ConfirmationOutcome,
    DeletionAsked,
    NamedDrawer,
    ReceivedBy,
)
from annotation_backend.labeling.models.correction import Correction, CorrectionKind
from annotation_backend.labeling.models.decoding import DECODING
from annotation_backend.labeling.models.entry import StudioEntry
from annotation_backend.labeling.models.mask import CaseMask, label_rows
from annotation_backend.labeling.models.own_prediction import OwnPrediction
from annotation_backend.labeling.models.project import FormerTask, LabelingProject, LabelingTask, TaskState, number_of
from annotation_backend.labeling.models.settings import ProjectTab, SettingsChange
from annotation_backend.labeling.models.version import AnnotationFinding, FindingKind, Restoration, VersionMasks
from annotation_backend.labeling.models.watch import (
    MISLEADING,
    NONE_OF_OURS,
    OF_TASKS,
    TASK_GONE,
    Secret,
    SecretRenewal,
    StudioChange,
    Subject,
)

__all__ = [
    "ANNOTATION",
    "DECODING",
    "EVIDENCE",
    "MISLEADING",
    "NONE_OF_OURS",
    "OF_TASKS",
    "TASK_GONE",
    "Annotation",
    "AnnotationDeletion",
    "AnnotationFinding",
    "AnnotationQuerySet",
    "CaseMask",
    "Confirmation",
    "ConfirmationOutcome",
    "Correction",
    "CorrectionKind",
    "DeletionAsked",
    "FindingKind",
    "FormerTask",
    "LabelingProject",
    "LabelingTask",
    "NamedDrawer",
    "OwnPrediction",
    "ProjectTab",
    "ReceivedBy",
    "Restoration",
    "Secret",
    "SecretRenewal",
    "SettingsChange",
    "StudioChange",
    "StudioEntry",
    "Subject",
    "TaskState",
    "VersionMasks",
    "label_rows",
    "number_of",
]
