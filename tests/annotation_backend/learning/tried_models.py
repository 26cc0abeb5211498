"""Registered models with runs and figures on held-out cases, all by hand; their packages have no files."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from django.utils import timezone

from annotation_backend.learning.models import Run, RunStatus, Snapshot
from annotation_backend.registry import model_registry
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.studies.models import Study
from datasets.files import sha256_of_bytes
from tests.annotation_backend.support.records import the_study


def files_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets packages without files be promoted; those with files are tried where models are trained."""
    monkeypatch.setattr(model_registry, "read_package", lambda _folder, expected_digest: None)


def snapshot_of(
    cases: Mapping[str, str], *, study: Study | None = None, mask: int = 1, changed: Sequence[str] = ()
) -> Snapshot:
    """A snapshot with these cases and their patients; the masks of some are other ones."""
    entries = [
        {
            "case": case,
            "patient": patient,
            "mask": mask,
            "mask_sha256": f"{'corrected ' if case in changed else ''}of {case}",
            "registration_sha256": f"of {case}",
            "quality_score": "excellent",
        }
        for case, patient in sorted(cases.items())
    ]
    digest = sha256_of_bytes(repr((study or the_study(), entries)).encode())
    return Snapshot.objects.get_or_create(
        study=study or the_study(), digest=digest, defaults={"content": {"cases": entries}}
    )[0]


def figures_of(dice: Mapping[str, float], folds: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Figures of cases, each of a patient of the same number."""
    fold_of = {case: number for number, fold in enumerate(folds) for case in fold}
    others = {"assd_mm": 1.0, "hd95_mm": 2.0, "surface_dice_1mm": 0.5, "volume_ml": 3.0, "reference_volume_ml": 4.0}
    return [
        {"case": case, "patient": case.replace("C", "P"), "fold": fold_of[case], "dice": value, **others}
        for case, value in dice.items()
    ]


def tried_model(
    name: str,
    dice: Mapping[str, float],
    folds: Sequence[Sequence[str]],
    *,
    label: str = "Tumour",
    changed: Sequence[str] = (),
) -> Model:
    """A model that draws by itself, with its run and the Dice of its held-out cases; masks of `changed` are others."""
    snapshot = snapshot_of({case: case.replace("C", "P") for case in dice}, changed=changed)
    model = Model.objects.create(
        name=name,
        version="1",
        method="unet-25d",
        digest=sha256_of_bytes(name.encode()),
        folder=f"models/{name}",
        prompt_kinds=[PromptKind.AUTOMATIC.value],
        images=["t2-fs"],
        label=label,
        study=the_study(),
        snapshot_digest=snapshot.digest,
    )
    Run.objects.create(
        study=the_study(),
        snapshot=snapshot,
        method="unet-25d",
        settings={"label": label},
        status=RunStatus.DONE,
        folds=[list(fold) for fold in folds],
        figures=figures_of(dice, folds),
        summary={"cases": len(dice), "mean": 0.5, "sd": 0.1, "median": 0.5, "misses": 0},
        model=model,
        ended=timezone.now(),
    )
    return model
