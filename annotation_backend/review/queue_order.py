"""The order of the review queue, by codes or where the model is least sure; the database sorts, however many cases
there are."""

from collections.abc import Iterable, Iterator

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from annotation_backend.cases.models import Case
from annotation_backend.cases.models.case import CaseQuerySet
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.predictions.estimates import mean_score
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


class QueueOrder(models.TextChoices):
    """Which of the cases that wait comes first."""

    CODE = "code", "in the order of their codes"
    UNCERTAINTY = "uncertainty", "where the model is least sure"


def order_of(word: str) -> QueueOrder:
    """The order that a word names; by codes for any other word."""
    return QueueOrder(word) if word in QueueOrder.values else QueueOrder.CODE


def waiting_first(study: Study, order: QueueOrder = QueueOrder.CODE) -> CaseQuerySet:
    """The cases with a mask, those first whose newest mask waits for a verdict (`waits`), each group in an order.

    Whether the newest mask is the one that counts is known only when its saves are looked at (`standings`), which the
    page does for the cases that it shows.
    """
    return _placed(_with_newest(study), order, study).annotate(waits=_waits(study)).order_by(F("waits").desc(), *_PLACE)


def waiting(study: Study) -> CaseQuerySet:
    """Of these the cases that wait, in order of codes."""
    return _with_newest(study).filter(_waits(study)).order_by("code")


def waiting_behind(study: Study, after: Case, order: QueueOrder = QueueOrder.CODE) -> Iterator[list[Case]]:
    """The cases that may wait, in portions: those behind a case in an order, then those before it."""
    found = _placed(waiting(study), order, study).order_by(*_PLACE).select_related("study")
    own = _placed(Case.objects.filter(pk=after.pk), order, study).first()
    start = (_place_of(own) if own else _UNKNOWN, after.code)
    for rows in (found.filter(_behind(start)), found.exclude(_behind(start)).exclude(code=after.code)):
        last: tuple[float, str] | None = None
        while portion := list((rows if last is None else rows.filter(_behind(last)))[:AT_ONCE]):
            yield portion
            last = (_place_of(portion[-1]), portion[-1].code)


_PLACE = ("place", "code")

_UNKNOWN = 2.0
"""The place of a case of which the model says nothing: behind all others, whose estimates are 1 at most."""


def _placed(cases: CaseQuerySet, order: QueueOrder, study: Study) -> CaseQuerySet:
    """Cases with the model's `estimate` of its masks, where the order is by it, and their `place`."""
    if order is QueueOrder.CODE:
        return cases.annotate(place=Value(_UNKNOWN, output_field=models.FloatField()))
    estimate = mean_score(study, case="pk")
    return cases.annotate(estimate=estimate).annotate(place=Coalesce("estimate", _UNKNOWN))


def _place_of(case: Case) -> float:
    return float(case.place)  # type: ignore[attr-defined]  # of `_placed`


def _behind(place: tuple[float, str]) -> Q:
    return Q(place__gt=place[0]) | Q(place=place[0], code__gt=place[1])


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
