"""A study's figures: worked out at once where there is little, and by a worker where there is much, and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max
from django.utils.timezone import now

from annotation_backend.cases.models import Case, Exclusion
from annotation_backend.dashboard.agreement import agreement_table
from annotation_backend.dashboard.drafts import draft_table
from annotation_backend.dashboard.methods import score_table, time_table
from annotation_backend.dashboard.progress import progress_tables
from annotation_backend.dashboard.tables import Table
from annotation_backend.history.models import Event, Figures
from annotation_backend.labeling.models import Annotation
from annotation_backend.readers.models import StudyAgreement
from annotation_backend.review.models import Review
from annotation_backend.stages.models import Transition
from annotation_backend.studies.models import Study

FEW = 2000
"""A study with no more cases, saves and events than this is worked out while its page is asked for."""

REFRESHED_AFTER = timedelta(minutes=10)
"""What is kept of a large study is worked out again when it is older than this and somebody looks."""


@dataclass(frozen=True)
class Dashboard:
    """What the page shows.

    Args:
        tables: The figures; none while they are worked out for the first time.
        made: When they were worked out.
        is_current: Whether nothing has happened since.
    """

    tables: Sequence[Table]
    made: datetime | None
    is_current: bool


def dashboard_of(study: Study) -> Dashboard:
    """The figures as they are kept, or worked out just now where the study is small.

    Where much has to be worked out, `jobs.work_out_figures` does; whether it has to be queued says `needs_work`.
    """
    state, kept = _state_of(study), Figures.objects.filter(study=study).first()
    if (kept is None or kept.state != state) and _is_small(study):
        kept = work_out(study)
    if kept is None:
        return Dashboard((), None, False)
    return Dashboard([Table(**one) for one in kept.values], kept.made, kept.state == state)


def needs_work(dashboard: Dashboard) -> bool:
    """Whether a worker should work the figures out again."""
    return not dashboard.is_current and (dashboard.made is None or dashboard.made < now() - REFRESHED_AFTER)


def work_out(study: Study) -> Figures:
    """Works all figures out from the records, and keeps them."""
    state, made = _state_of(study), now()  # before: what happens meanwhile makes them old
    tables = [
        *progress_tables(study),
        agreement_table(study),
        score_table(study),
        time_table(study),
        draft_table(study),
    ]
    values = [table.as_document() for table in tables]
    row, _ = Figures.objects.update_or_create(study=study, defaults={"state": state, "values": values, "made": made})
    return row


def _state_of(study: Study) -> dict[str, Any]:
    """How far the study's records have come: the newest of each kind that the figures are worked out from."""
    rows = {
        "event": Event.objects.filter(study=study),
        "case": Case.objects.filter(study=study),
        "exclusion": Exclusion.objects.filter(case__study=study),
        "save": Annotation.objects.filter(project__study=study),
        "verdict": Review.objects.filter(mask__case__study=study),
        "transition": Transition.objects.filter(row__case__study=study),
    }
    newest = {name: one.order_by().aggregate(newest=Max("pk"))["newest"] for name, one in rows.items()}
    agreement = StudyAgreement.objects.filter(study=study).values_list("made_at", flat=True).first()
    return {**newest, "protocol": study.protocol.digest, "agreement": str(agreement or "")}


def _is_small(study: Study) -> bool:
    counted = (
        Case.objects.filter(study=study),
        Annotation.objects.filter(project__study=study),
        Event.objects.filter(study=study),
    )
    return all(rows.order_by().values("pk")[: FEW + 1].count() <= FEW for rows in counted)
