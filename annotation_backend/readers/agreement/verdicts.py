"""Verdicts of several readers on one mask: where they differ."""

from collections import defaultdict
from dataclasses import dataclass

from annotation_backend.review.models import Review
from annotation_backend.stages.hiding import is_blind_still
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.models import Study

MOST_SHOWN = 200


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
    reviews = Review.objects.filter(row__case__study=study, row__stage__in=several).order_by("pk")
    by_mask: dict[tuple[int, int], dict[int, Review]] = defaultdict(dict)
    for review in reviews.select_related("row__case__study", "reviewer").defer("seen"):
        by_mask[review.row_id or 0, review.mask_id][review.reviewer_id] = review
    found = []
    for given in by_mask.values():
        row = next(iter(given.values())).row
        is_shown = row is not None and (shows_open or not is_blind_still(row))
        if row is not None and is_shown and len({(one.verdict, one.quality_score) for one in given.values()}) > 1:
            found.append(DifferingVerdicts(row, tuple(given.values())))
    return found[::-1][:MOST_SHOWN]
