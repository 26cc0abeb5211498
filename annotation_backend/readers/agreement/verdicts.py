"""Verdicts of several readers on one mask: where they differ."""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Count, Q

from annotation_backend.review.models import Review
from annotation_backend.stages.models import CaseStage, StageState
from annotation_backend.studies.models import Study

MOST_SHOWN = 50


@dataclass(frozen=True)
class DifferingVerdicts:
    """What several readers said of one mask, where they do not say the same.

    Args:
        row: The stage.
        reviews: Their verdicts, in the order in which they were given.
    """

    row: CaseStage
    reviews: tuple[Review, ...]

    @property
    def differs_in_verdict(self) -> bool:
        """Whether one approves and another does not; else only their scores differ."""
        return len({review.verdict for review in self.reviews}) > 1


def differing_verdicts(study: Study, *, shows_open: bool) -> list[DifferingVerdicts]:
    """Masks on which a study's readers differ, the newest first; three queries at most.

    Args:
        study: The study.
        shows_open: Also those of blind stages in which somebody may still be reading.
    """
    several = [stage.name for stage in study.protocol.steps if stage.readers > 1]
    blind = [stage.name for stage in study.protocol.steps if stage.is_blind]
    given = Review.objects.filter(row__case__study=study, row__stage__in=several)
    if not shows_open:
        given = given.exclude(Q(row__stage__in=blind) & Q(row__state=StageState.OPEN))
    counted = (
        given.order_by()
        .values("row", "mask")
        .annotate(verdicts=Count("verdict", distinct=True), scores=Count("quality_score", distinct=True))
    )
    differing = counted.filter(Q(verdicts__gt=1) | Q(scores__gt=1)).order_by("-row", "-mask")
    places = list(differing.values_list("row", "mask")[:MOST_SHOWN])
    reviews = given.filter(row__in={row for row, _ in places}).select_related("row__case__study", "reviewer")
    by_mask: dict[tuple[int, int], dict[int, Review]] = defaultdict(dict)
    for review in reviews.defer("seen").order_by("pk"):
        by_mask[review.row_id or 0, review.mask_id][review.reviewer_id] = review
    found = [tuple(by_mask[place].values()) for place in places]
    return [DifferingVerdicts(reviews[0].row, reviews) for reviews in found if reviews[0].row and _differ(reviews)]


def _differ(reviews: tuple[Review, ...]) -> bool:
    """Whether several people's newest words differ; one person's former word does not count."""
    return len({(one.verdict, one.quality_score) for one in reviews}) > 1
