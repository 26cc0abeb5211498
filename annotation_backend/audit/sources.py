"""The records that the audit log unites: for each kind of record, when, who, on which case, and in what words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model as DatabaseModel
from django.db.models import Q

from annotation_backend.accounts.models import Role
from annotation_backend.cases.models import (
    ChosenSeries,
    Exclusion,
    RegistrationRedo,
    RegistrationVerdict,
    VerdictOfRegistration,
    Withdrawal,
)
from annotation_backend.history.models import PULSES, Event, EventKind
from annotation_backend.inference.models import SessionPrompt
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationDeletion,
    AnnotationFinding,
    Correction,
    CorrectionKind,
    NamedDrawer,
    Restoration,
    SettingsChange,
)
from annotation_backend.learning.models import AskedBy, Retraining, TrainingAsk
from annotation_backend.publishing.models import ErratumStep, Release
from annotation_backend.registry.models import Promotion, PromptKind
from annotation_backend.review.models import Comment, EndReason, Review, Verdict, VerdictEnd
from annotation_backend.stages.models import Assignment, AssignmentState, StageState, Transition
from annotation_backend.studies.models import MembershipChange, ProtocolVersion


@dataclass(frozen=True)
class Source:
    """One kind of record.

    Args:
        kind: Its name in addresses and files.
        title: Its name on pages.
        model: The record.
        at: The field that says when.
        study: The way to its study.
        words: What happened, from the values of `extra`.
        person: The field that says who; empty where nobody did it.
        case: The way to its case; empty where it is about none.
        stage: The way to the name of its stage; empty where it has none.
        slice_index: The way to the index of its slice; empty where it has none.
        extra: Further fields.
        only: What is left out of it unless it is asked for by its kind.
    """

    kind: str
    title: str
    model: type[DatabaseModel]
    at: str
    study: str
    words: Callable[..., str]
    person: str = ""
    case: str = ""
    stage: str = ""
    slice_index: str = ""
    extra: tuple[str, ...] = ()
    only: Q = field(default_factory=Q)


def _event(kind: str, detail: dict[str, Any]) -> str:
    said = ", ".join(f"{name} {value}" for name, value in sorted(detail.items()))
    return f"{EventKind(kind).label}{f': {said}' if said else ''}"


def _save(number: int, was_cancelled: bool) -> str:
    return "Skipped" if was_cancelled else f"Saved version {number}"


def _verdict(verdict: str, score: str) -> str:
    return f"{Verdict(verdict).label}: {score.replace('_', ' ')}"


def _transition(state: str, why: str) -> str:
    label = f"Stage {str(StageState(state).label).lower()}"
    return f"{label}: {why}" if why else label


def _role(person: int, former: str, role: str) -> str:
    names = (Role(one).label.lower() if one else "no role" for one in (former, role))
    return f"Role of person {person}: {' → '.join(names)}"


def _change(labels: dict[str, bool], prompt_models: dict[str, Any]) -> str:
    return f"Settings changed: {len(labels)} label(s), {len(prompt_models)} model(s) chosen"


def _promotion(name: str, version: str, prompt_kind: str, label: str, is_back: bool) -> str:
    words = "Went back to" if is_back else "Promoted"
    return f"{words} {name}-{version} for {PromptKind(prompt_kind).label} prompts, {label}"


SOURCES: Sequence[Source] = (
    Source("event", "Seen and done", Event, "created", "study", _event, "person", "case", "stage", "slice_index",
           ("kind", "detail"), ~Q(kind__in=PULSES)),
    Source("save", "Saves", Annotation, "received_at", "project__study", _save, "author", "task__case",
           "reading__row__stage", "task__slice_index", ("number", "was_cancelled")),
    Source("prompt", "Prompts", SessionPrompt, "created", "session__case__study",
           lambda asks: f"Prompt: {asks}", "session__person", "session__case", "", "slice_index", ("asks",)),
    Source("correction", "Corrections", Correction, "created", "case__study",
           lambda kind: str(CorrectionKind(kind).label), "author", "case", "row__stage", "", ("kind",)),
    Source("deletion", "Deleted in Label Studio", AnnotationDeletion, "created", "project__study",
           lambda: "Deleted in Label Studio; kept here", "", "task__case", "", "task__slice_index"),
    Source("verdict", "Verdicts", Review, "created", "mask__case__study", _verdict, "reviewer", "mask__case",
           "row__stage", "", ("verdict", "quality_score")),
    Source("verdict-end", "Ends of verdicts", VerdictEnd, "created", "review__mask__case__study",
           lambda reason: f"Verdict ended: {EndReason(reason).label}", "", "review__mask__case", "review__row__stage",
           "", ("reason",)),
    Source("comment", "Comments", Comment, "created", "case__study",
           lambda answered: "Answered a comment" if answered else "Commented", "author", "case", "", "slice_index",
           ("answered_to",)),
    Source("comment-closed", "Comments closed", Comment, "closed_at", "case__study", lambda: "Closed a comment",
           "closed_by", "case", "", "slice_index", only=Q(closed_at__isnull=False)),
    Source("stage", "Stages", Transition, "created", "row__case__study", _transition, "person", "row__case",
           "row__stage", "", ("state", "why")),
    Source("assigned", "Work given or taken", Assignment, "created", "row__case__study",
           lambda how: f"Work begun: {how}", "person", "row__case", "row__stage", "", ("how",)),
    Source("assignment-end", "Work done or given back", Assignment, "ended_at", "row__case__study",
           lambda state: f"Work {str(AssignmentState(state).label).lower()}", "person", "row__case", "row__stage", "",
           ("state",), Q(ended_at__isnull=False)),
    Source("registration", "Verdicts on registrations", RegistrationVerdict, "created", "case__study",
           lambda role, verdict: f"{role}: {VerdictOfRegistration(verdict).label}", "person", "case", "", "",
           ("role", "verdict")),
    Source("registered-again", "Registrations asked for", RegistrationRedo, "created", "case__study",
           lambda preset, motion: f"To be registered again: {preset}, {motion}", "person", "case", "", "",
           ("preset", "motion")),
    Source("exclusion", "Exclusions", Exclusion, "created", "case__study", lambda: "Excluded", "person", "case"),
    Source("exclusion-end", "Exclusions taken back", Exclusion, "ended", "case__study", lambda: "In use again",
           "ended_by", "case", only=Q(ended__isnull=False)),
    Source("restoration", "Restored versions", Restoration, "created", "source__project__study",
           lambda number: f"Restored version {number}", "person", "source__task__case", "",
           "source__task__slice_index", ("source__number",)),
    Source("named", "Named annotators", NamedDrawer, "created", "annotation__project__study",
           lambda person: f"Named person {person} as the annotator", "named_by", "annotation__task__case", "",
           "annotation__task__slice_index", ("person",)),
    Source("finding", "Findings settled", AnnotationFinding, "seen_at", "annotation__project__study",
           lambda kind: f"Settled a finding: {kind}", "seen_by", "annotation__task__case", "",
           "annotation__task__slice_index", ("kind",), Q(seen_at__isnull=False)),
    Source("series", "Chosen series", ChosenSeries, "created", "patient__study",
           lambda role: f"Chose a series for {role}", "person", extra=("role",)),
    Source("role", "Roles", MembershipChange, "created", "study", _role, "by", extra=("person", "former", "role")),
    Source("settings", "Settings", SettingsChange, "created", "project__study", _change, "person",
           extra=("labels", "prompt_models")),
    Source("protocol", "Protocol", ProtocolVersion, "created", "study",
           lambda digest: f"Protocol {digest[:12]} in force", "person", extra=("digest",)),
    Source("promotion", "Promotions", Promotion, "created", "study", _promotion, "person",
           extra=("model__name", "model__version", "prompt_kind", "label", "is_back")),
    Source("retraining", "Retraining", Retraining, "created", "study",
           lambda method: f"Settings of retraining changed: {method}", "person", extra=("method",)),
    Source("training", "Trainings asked for", TrainingAsk, "created", "study",
           lambda why: f"Training asked for by {AskedBy(why).label}", "person", extra=("why",)),
    Source("release", "Releases", Release, "created", "study",
           lambda name, version: f"Release {name} {version} built", extra=("name", "version")),
    Source("erratum", "Errata", ErratumStep, "created", "erratum__study",
           lambda number, state: f"Erratum {number} {state}", "person", "erratum__case",
           extra=("erratum__number", "state")),
    Source("withdrawal", "Withdrawn patients", Withdrawal, "created", "patient__study",
           lambda code: f"Patient {code} withdrawn", "person", extra=("patient__code",)),
)  # fmt: skip
"""Of records that were made at the same moment, those of an earlier source come first."""

KINDS = {
    **{source.kind: source.title for source in SOURCES},
    **{f"event:{kind.value}": str(kind.label) for kind in EventKind},
}
"""What the audit log can be asked for, with its name on pages."""
