"""The protocols of several studies at once, for lists of their cases."""

from collections.abc import Iterable

from annotation_backend.studies.models import ProtocolVersion
from datasets.study.protocol import Protocol


def protocols_of(studies: Iterable[int]) -> dict[int, Protocol]:
    """The protocols in force by their studies' keys, in one query.

    Args:
        studies: Keys of studies.
    """
    versions = ProtocolVersion.objects.filter(study__in={*studies}).order_by("pk")
    return {version.study_id: version.protocol for version in versions}  # the newest comes last
