"""What came of a study's control cases, by stage and person, with intervals by patient; made by a job."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from annotation_backend.readers.models import ControlReading, StudyAgreement
from annotation_backend.studies.models import Study
from training.measures.intervals import mean_interval


def summarise_controls(study: Study) -> list[dict[str, Any]]:
    """Works out and keeps what came of a study's control cases; a row for each stage and person."""
    rows = ControlReading.objects.filter(control__case__study=study, scored_at__isnull=False)
    by_person: dict[tuple[str, int], list[ControlReading]] = defaultdict(list)
    for row in rows.select_related("control__case__patient", "reading").defer("places"):
        by_person[row.control.stage, row.reading.person_id].append(row)
    found = [_of_person(stage, person, given) for (stage, person), given in sorted(by_person.items())]
    StudyAgreement.objects.update_or_create(study=study, defaults={"controls": found})
    return found


def _of_person(stage: str, person: int, readings: Sequence[ControlReading]) -> dict[str, Any]:
    patients = [one.control.case.patient.code for one in readings]
    figures = {
        "unchanged": [None if one.is_unchanged is None else float(one.is_unchanged) for one in readings],
        "corrected": [None if one.is_corrected is None else float(one.is_corrected) for one in readings],
        "dice": [one.dice for one in readings],
        "draft_dice": [one.draft_dice for one in readings],
    }
    counts = {
        "readings": len(readings),
        "drafts": sum(one.is_unchanged is not None for one in readings),
        "faults": sum(one.is_corrected is not None for one in readings),
        "unchanged_count": sum(bool(one.is_unchanged) for one in readings),
        "corrected_count": sum(bool(one.is_corrected) for one in readings),
    }
    return {
        "stage": stage,
        "person": person,
        **counts,
        **{name: _interval(values, patients) for name, values in figures.items()},
    }


def _interval(values: Sequence[float | None], patients: Sequence[str]) -> dict[str, float | None]:
    found = mean_interval(values, patients, bounds=(0.0, 1.0))
    return {"value": found.value, "lower": found.lower, "upper": found.upper}
