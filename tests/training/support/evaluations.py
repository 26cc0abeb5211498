"""Evaluations of models as documents, with Dice as given and sizes by a simple rule."""

import json
from collections.abc import Mapping
from typing import Any

from datasets.files import canonical_json
from training.evaluation.results import CaseResult, Evaluation

VOLUMES_ML = {f"c{number}": 10.0 * 2**number for number in range(6)}
"""Volume of each case's reference: 10 to 320 ml."""


def case_result(case: str, dice: float) -> CaseResult:
    """A case of one request, of which the share `dice` was drawn."""
    volume = VOLUMES_ML[case]
    return CaseResult(
        case,
        (1,),
        dice=(dice,),
        assd_mm=(2.0 * (1 - dice) if dice else None,),
        hd95_mm=(9.0 * (1 - dice) if dice else None,),
        surface_dice_1mm=(dice**2,),
        seconds=(0.5,),
        empty=(0,),
        sessions=1,
        volume_ml=volume * dice,
        reference_volume_ml=volume,
        diameter_mm=50.0 * dice,
        reference_diameter_mm=50.0,
        diameter_3d_mm=60.0 * dice,
        reference_diameter_3d_mm=60.0,
        lesions={"lesions": 1.0, "detected": float(dice > 0), "missed": float(dice == 0), "false": float(dice < 0.3)},
        first_seconds=(0.5,),
        later_seconds=(),
    )


def evaluation_document(model: str, dice: Mapping[str, float], **about: Any) -> dict[str, Any]:
    """An evaluation as it comes back from a file; `about` is added to its summary."""
    cases = tuple(case_result(case, value) for case, value in dice.items())
    found = Evaluation(model, "nobody", (0,), per_slice=False, slices_per_case=None, about="", cases=cases).as_dict()
    found["summary"] |= about
    document: dict[str, Any] = json.loads(canonical_json(found))
    return document
