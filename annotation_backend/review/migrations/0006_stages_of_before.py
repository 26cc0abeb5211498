"""Cases that were published before there were stages stand where their masks and verdicts say."""

import tomllib
from collections.abc import Iterable
from typing import Any

from django.db import migrations
from django.utils.timezone import now

_DRAWING_AND_REVIEW = [
    {"name": "annotate", "unit": "slice"},
    {"name": "review", "unit": "case", "after": ["annotate"]},
]


def place_cases(apps: Any, _editor: Any) -> None:
    """Gives each published case its stages: drawing is open until its mask was approved, review once there is one."""
    case_model, task_model = apps.get_model("cases", "Case"), apps.get_model("labeling", "LabelingTask")
    mask_model, row_model = apps.get_model("labeling", "CaseMask"), apps.get_model("stages", "CaseStage")
    transition_model = apps.get_model("stages", "Transition")
    begun = row_model.objects.values("case")
    published = case_model.objects.filter(pk__in=task_model.objects.values("case")).exclude(pk__in=begun)
    drawn = set(mask_model.objects.values_list("case", flat=True))
    verdicts = _newest_verdicts(apps)
    for study in apps.get_model("studies", "Study").objects.all():
        stages = tomllib.loads(study.document).get("stages") or _DRAWING_AND_REVIEW
        for case in published.filter(study=study):
            for stage, state in _states(stages, case.pk in drawn, verdicts.get(case.pk, "")):
                closed_at = None if state == "open" else now()
                row = row_model.objects.create(case=case, stage=stage, state=state, closed_at=closed_at)
                why = "as it was when stages were brought in"
                transition_model.objects.create(row=row, state=state, why=why)


def _newest_verdicts(apps: Any) -> dict[int, str]:
    """By case: the newest verdict, where nothing ended it."""
    review_model = apps.get_model("review", "Review")
    ended = set(apps.get_model("review", "VerdictEnd").objects.values_list("review", flat=True))
    rows = review_model.objects.order_by("pk").values_list("mask__case", "pk", "verdict")
    return {case: "" if key in ended else verdict for case, key, verdict in rows}


def _states(stages: Iterable[dict[str, Any]], is_drawn: bool, verdict: str) -> Iterable[tuple[str, str]]:
    """The state of each stage that was begun."""
    for stage in stages:
        is_drawing = stage.get("unit") == "slice" or stage.get("does") == "draw"
        if verdict == "approve":
            yield stage["name"], "done"
        elif is_drawing and not stage.get("after"):
            yield stage["name"], "open"
        elif not is_drawing and is_drawn:
            yield stage["name"], "returned" if verdict == "return" else "open"


class Migration(migrations.Migration):
    dependencies = [
        ("review", "0005_stages"),
        ("stages", "0001_initial"),
        ("labeling", "0011_corrections"),
        ("studies", "0003_three_roles"),
    ]

    operations = [migrations.RunPython(place_cases, migrations.RunPython.noop)]
