"""Rows in every table as an installation had them before there were studies, and what the migrations made of them.

Run as a program on an empty database: `python -m tests.annotation_backend.studies.older_rows people|nobody|empty`.
"""

import json
import sys
from collections import Counter
from typing import Any

import django
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

BEFORE = [
    ("accounts", "0003_draws_since"),
    ("cases", "0004_ingest_label_values"),
    ("registry", "0002_extreme_points"),
    ("inference", "0003_sessions"),
    ("labeling", "0007_decodings"),
    ("review", "0004_own_drawings"),
    ("learning", "0001_initial"),
    ("publishing", "0001_initial"),
]
"""The newest migration of each app of that time."""

ROWS = 2

DIGEST = "0123456789abcdef" * 4

SPECIAL: dict[tuple[str, str], Any] = {
    ("Registration", "record"): {
        "method": "rigid",
        "transform": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        "outputs": {"t1": DIGEST, "t2": DIGEST},
        "quality": {"verdict": "accept", "checks": []},
    },
    ("Registration", "t1_file"): "registration/r/t1.nii.gz",
    ("Registration", "t2_file"): "registration/r/t2.nii.gz",
    ("Registration", "checkerboard_file"): "registration/r/checkerboard.png",
    ("Series", "role"): "t1",
    ("Slice", "role"): "t2",
    ("Case", "tissue_type"): "nerve",
    ("SettingsChange", "has_oedema"): True,
    ("SettingsChange", "prompt_models"): {},
    ("Model", "prompt_kinds"): ["box"],
    ("Annotation", "raw"): {"result": []},
    ("CaseMask", "annotated_slices"): [2],
    ("CaseMask", "unannotated_slices"): [],
    ("Snapshot", "content"): {"cases": []},
    ("VersionMasks", "areas"): {"Tumour": 5},
}
"""Values that migrations read."""

ROLES = ("administrator", "data_manager", "radiologist", "annotator")


def options_of(model: Any) -> Any:
    """What Django knows of a model's fields and name, as it documents it."""
    return model._meta


def _ours(apps: Any) -> list[Any]:
    names = [name for name, _ in BEFORE]
    return [model for name in names for model in apps.get_app_config(name).get_models()]


def _fill(apps: Any, *, has_people: bool) -> None:
    people = apps.get_model("accounts", "User").objects
    for number, role in enumerate(ROLES if has_people else (), start=1):
        people.create(
            username=f"{role}@maskloop.local", email=f"{role}@maskloop.local", role=role, label_studio_id=number
        )
    left = [model for model in _ours(apps) if model.__name__ != "User"]
    while left:
        ready = [model for model in left if not _needed(model) & set(left)]
        assert ready, left
        for model in ready:
            left.remove(model)
            if has_people or not _needs_people(model):
                for number in range(1, ROWS + 1):
                    _create(model, number)


def _foreign(model: Any) -> list[Any]:
    return [field for field in options_of(model).concrete_fields if field.is_relation]


def _needed(model: Any) -> set[Any]:
    return {field.related_model for field in _foreign(model) if field.related_model is not model}


def _needs_people(model: Any) -> bool:
    """Whether its rows are about a person, or about others that are."""
    return any(
        not field.null and (field.related_model.__name__ == "User" or _needs_people(field.related_model))
        for field in _foreign(model)
    )


def _create(model: Any, number: int) -> None:
    values = {
        field.name: _value(model, field, number) for field in options_of(model).concrete_fields if not field.primary_key
    }
    made = model(**{name: value for name, value in values.items() if value is not models.NOT_PROVIDED})
    made.save()
    for field in options_of(model).local_many_to_many:
        getattr(made, field.name).set(field.related_model.objects.all()[:1])


def _value(model: Any, field: Any, number: int) -> Any:
    special = SPECIAL.get((model.__name__, field.name))
    if special is not None:
        return special
    if field.is_relation:
        rows = list(field.related_model.objects.order_by("pk"))
        return rows[(number - 1) % len(rows)] if rows else None
    if field.has_default() and not field.unique:
        return models.NOT_PROVIDED
    if field.choices:
        return field.choices[(number - 1) % len(field.choices)][0]
    if isinstance(field, models.BooleanField):
        return False
    if isinstance(field, models.DateTimeField):
        return None if field.null else timezone.now()
    if isinstance(field, models.IntegerField | models.FloatField):
        return number
    if isinstance(field, models.JSONField):
        return {}
    if isinstance(field, models.BinaryField):
        return b""
    return {"code": f"{model.__name__[0]}000{number}"}.get(field.name, f"{field.name}{number}"[: field.max_length])


def _counts(apps: Any) -> dict[str, int]:
    return {options_of(model).label: model.objects.count() for model in _ours(apps)}


def main(kind: str) -> dict[str, Any]:
    """Fills an empty database as it was, migrates it, and tells what is in it."""
    django.setup()
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    older = MigrationExecutor(connection).loader.project_state(BEFORE).apps
    if kind != "empty":
        _fill(older, has_people=kind == "people")
    before = _counts(older)
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    from django.apps import apps

    from annotation_backend.studies.models import Membership, ProtocolVersion, Study

    belonging = {
        options_of(model).label: Counter(str(name) for name in model.objects.values_list("study__name", flat=True))
        for model in apps.get_models()
        if any(field.name == "study" for field in options_of(model).concrete_fields) and model.objects.exists()
    }
    return {
        "vendor": connection.vendor,
        "before": before,
        "after": {label: count for label, count in _counts(apps).items() if label in before},
        "studies": [[study.name, study.is_first, study.protocol.digest] for study in Study.objects.all()],
        "versions": [version.digest for version in ProtocolVersion.objects.all()],
        "belonging": belonging,
        "members": sorted(Membership.objects.values_list("person__username", "role")),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
