"""Records what people do; the one way by which events come about."""

from collections.abc import Mapping

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.history.models import Event, EventKind
from annotation_backend.studies.models import Study

DETAILS = ("page", "release", "mask", "format", "rows", "actions", "seconds")
"""What a detail may say. None of it is free text: no name, address, path or secret gets into the history."""

_LONGEST = 60

Detail = Mapping[str, str | int | bool]


def record(
    kind: EventKind,
    person: User | None,
    *,
    case: Case | None = None,
    study: Study | None = None,
    stage: str = "",
    slice_index: int | None = None,
    detail: Detail | None = None,
) -> Event | None:
    """Records one event; what happens on the doctor's rehearsal cases is nobody's work and is not kept.

    Args:
        kind: What happened.
        person: Who did it; None for a command.
        case: The case that it is about.
        study: The study, where it is about no one case.
        stage: Name of the stage, where it is known.
        slice_index: Index of the slice that it is about.
        detail: Further words and numbers, by the names in `DETAILS`.

    Returns:
        The event; None for a rehearsal's.

    Raises:
        ValueError: It belongs to no study, or its detail says what no detail may say.
    """
    if case is not None and case.is_rehearsal:
        return None
    of_study = case.study if case is not None else study
    if of_study is None:
        raise ValueError("an event belongs to a case or a study")
    return Event.objects.create(
        study=of_study,
        kind=kind,
        person=person,
        case=case,
        stage=stage,
        slice_index=slice_index,
        detail=_checked(detail or {}),
    )


def _checked(detail: Detail) -> dict[str, str | int | bool]:
    for name, value in detail.items():
        if name not in DETAILS or len(str(value)) > _LONGEST:
            raise ValueError(f"{name} does not belong into an event")
    return dict(detail)
