"""The order of the review queue, worked out by the database alone, however many cases there are."""

from collections.abc import Iterable, Iterator

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from annotation_backend.cases.models import Case
from annotation_backend.cases.models.case import CaseQuerySet
from annotation_backend.labeling.models import CaseMask
from annotation_backend.review.models import Review
from annotation_backend.stages.models import CaseStage, StageState
from annotation_backend.studies.models import Study
from datasets.study.stage import StageWork

AT_ONCE = 20
"""Cases that are looked at together for the next one."""


def cases_with_a_mask(study: Study) -> CaseQuerySet:
    """The cases in use of a study that have a mask for the case."""
    masks = CaseMask.objects.filter(case=OuterRef("pk"), reading__isnull=True)  # a reader's is not to be heard of
    return Case.objects.in_use().filter(Exists(masks), study=study)


def waiting_first(study: Study) -> CaseQuerySet:
    """The cases with a mask, those first whose newest mask waits for a verdict (`waits`), each in order of codes.

    Whether the newest mask is the one that counts is known only when its saves are looked at (`standings`), which the
    page does for the cases that it shows.
    """
    return _with_newest(study).annotate(waits=_waits(study)).order_by(F("waits").desc(), "code")


def waiting(study: Study) -> CaseQuerySet:
    """Of these the cases that wait, in order of codes."""
    return _with_newest(study).filter(_waits(study)).order_by("code")


def waiting_behind(study: Study, after: Case) -> Iterator[list[Case]]:
    """The cases that may wait, in portions: those behind a case in order of codes, then those before it."""
    found = waiting(study).select_related("study")
    for rows in (found.filter(code__gt=after.code), found.filter(code__lt=after.code)):
        last = ""
        while portion := list(rows.filter(code__gt=last)[:AT_ONCE]):
            yield portion
            last = portion[-1].code


def _with_newest(study: Study) -> CaseQuerySet:
    newest = CaseMask.objects.filter(case=OuterRef("pk"), reading__isnull=True).order_by("-pk")
    latest = Review.objects.filter(mask__case=OuterRef("pk")).order_by("-pk")
    return cases_with_a_mask(study).annotate(
        newest_mask=Subquery(newest.values("pk")[:1]), latest_review=Subquery(latest.values("pk")[:1])
    )


def under_review(cases: Iterable[Case]) -> dict[int, int]:
    """Keys of the cases that are in a stage of review now, with that stage's; one query for each study of them."""
    by_study: dict[int, tuple[Study, list[int]]] = {}
    for case in cases:
        by_study.setdefault(case.study_id, (case.study, []))[1].append(case.pk)
    found: dict[int, int] = {}
    for study, keys in by_study.values():
        found.update(_open_reviews(study).filter(case__in=keys).values_list("case", "pk"))
    return found


def _waits(study: Study) -> Q:
    """That no verdict holds on a case's newest mask, or that a stage waits for another, such as one that comes next."""
    rows = Review.objects.filter(pk=OuterRef("latest_review"), mask=OuterRef("newest_mask"), end__isnull=True)
    return Q(~Exists(rows)) | Q(Exists(_open_reviews(study).filter(case=OuterRef("pk"))))


def _open_reviews(study: Study) -> QuerySet[CaseStage]:
    names = [stage.name for stage in study.protocol.steps if stage.does is StageWork.REVIEW]
    return CaseStage.objects.filter(stage__in=names, state=StageState.OPEN)
