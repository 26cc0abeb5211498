"""The folds that models of a study were tried on, for the users of its releases to compare with them."""

from collections.abc import Mapping

from annotation_backend.learning.models import Run, RunStatus
from annotation_backend.studies.models import Study
from datasets.study.splits.split_case import Folds


def learned_folds(study: Study, codes: Mapping[str, str]) -> Folds | None:
    """The folds of the newest finished training of a study that has some and gave a model.

    Args:
        study: The study.
        codes: What a release calls its cases, by their own codes. A case that left since is in no fold any more.

    Returns:
        Test sets by the release's codes, each sorted; None where no training had folds, cases came in since, or so many
        left that a single fold holds all others.
    """
    runs = Run.objects.filter(study=study, status=RunStatus.DONE, model__isnull=False).exclude(folds=[])
    newest = runs.order_by("-pk").first()
    if newest is None or not set(codes) <= {case for fold in newest.folds for case in fold}:
        return None
    folds = [tuple(sorted(codes[case] for case in fold if case in codes)) for fold in newest.folds]
    left = tuple(fold for fold in folds if fold)
    return left if len(left) > 1 else None
