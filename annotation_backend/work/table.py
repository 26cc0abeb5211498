"""The data manager's table: open stages with who has them, filtered, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from annotation_backend.cases.models import Case
from annotation_backend.stages.models import Assignment, AssignmentState, CaseStage, StageState
from annotation_backend.studies.models import Study

ON_A_PAGE = 100


@dataclass(frozen=True)
class Filters:
    """What the table shows; empty for all.

    Args:
        stage: Name of a stage.
        site: Anatomical site.
        tissue: Tissue type.
        only_free: Only what nobody has.
        after: Code of the case and key of the row behind which the page begins, as `next_page` gives it.
    """

    stage: str = ""
    site: str = ""
    tissue: str = ""
    only_free: bool = False
    after: str = ""

    @property
    def place(self) -> tuple[str, int] | None:
        """`after` as code and key; None for the first page, and for what is none."""
        code, found, key = self.after.rpartition(":")
        return (code, int(key)) if found and key.isascii() and key.isdigit() and len(key) < 19 else None


@dataclass(frozen=True)
class TableRow:
    """An open stage of a case.

    Args:
        row: The stage.
        title: Of it, as the protocol has it.
        assignments: Open ones, with their people.
        is_waiting_since: When it was opened.
    """

    row: CaseStage
    title: str
    assignments: Sequence[Assignment]

    @property
    def is_waiting_since(self) -> datetime:
        """When it was opened."""
        return self.row.opened_at


@dataclass(frozen=True)
class Table:
    """One page of the table, and where the next one begins (empty: there is none)."""

    rows: Sequence[TableRow]
    next_page: str


def table(study: Study, filters: Filters) -> Table:
    """A page of open stages in the order of the cases' codes; as many queries for ten thousand cases as for ten."""
    rows = _open(study, filters)
    if filters.place is not None:
        code, key = filters.place
        rows = rows.filter(Q(case__code__gt=code) | Q(case__code=code, pk__gt=key))
    found = list(rows.select_related("case__study", "case__patient").order_by("case__code", "pk")[: ON_A_PAGE + 1])
    shown = found[:ON_A_PAGE]
    theirs = _assignments(shown)
    titles = {stage.name: stage.title for stage in study.protocol.steps}
    last = shown[-1] if len(found) > ON_A_PAGE else None
    return Table(
        [TableRow(row, titles.get(row.stage, row.stage), theirs.get(row.pk, [])) for row in shown],
        f"{last.case.code}:{last.pk}" if last is not None else "",
    )


def counts_by_stage(study: Study) -> dict[str, int]:
    """How many cases in use are open in each stage, by its name; one query."""
    counted = _open(study, Filters()).order_by().values_list("stage").annotate(count=Count("pk"))
    return dict(counted)


def choices(study: Study) -> Mapping[str, list[str]]:
    """Sites and tissue types of a study's cases, for its filters."""
    cases = Case.objects.filter(study=study).order_by()
    sites = cases.exclude(anatomical_site="").values_list("anatomical_site", flat=True).distinct()
    return {"sites": sorted(sites), "tissues": sorted(cases.values_list("tissue_type", flat=True).distinct())}


def _open(study: Study, filters: Filters) -> QuerySet[CaseStage]:
    cases = Case.objects.in_use().filter(study=study)
    cases = cases.filter(anatomical_site=filters.site) if filters.site else cases
    cases = cases.filter(tissue_type=filters.tissue) if filters.tissue else cases
    rows = CaseStage.objects.filter(case__in=cases, state=StageState.OPEN)
    rows = rows.filter(stage=filters.stage) if filters.stage else rows
    busy = Assignment.objects.filter(state=AssignmentState.OPEN, row__case__study=study)
    return rows.exclude(pk__in=busy.values("row")) if filters.only_free else rows


def _assignments(rows: Sequence[CaseStage]) -> dict[int, list[Assignment]]:
    found: dict[int, list[Assignment]] = {}
    theirs = Assignment.objects.filter(row__in=rows, state=AssignmentState.OPEN).select_related("person")
    for one in theirs.annotate(slice_count=Count("slices", filter=Q(slices__is_held=True, slices__slice_index__gte=0))):
        found.setdefault(one.row_id, []).append(one)
    return found
