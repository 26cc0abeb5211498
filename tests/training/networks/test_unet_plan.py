"""The plan of a U-Net: kept in packages as plain values, and refused where it makes no network."""

import json
from typing import Any

import pytest

from datasets.errors import RejectedInput
from training.networks.unet_plan import UNetPlan

PLAN = UNetPlan(3, (4, 8, 16), ((1, 1, 1), (2, 2, 1), (2, 2, 2)), ((3, 3, 1), (3, 3, 3), (3, 3, 3)), 1)


@pytest.mark.parametrize("plan", [PLAN, UNetPlan.uniform(channels=2, widths=(4, 8, 8, 16), dimensions=2)])
def test_there_and_back_as_json(plan: UNetPlan) -> None:
    assert UNetPlan.from_parameters(json.loads(json.dumps(plan.parameters))) == plan


def test_sizes_divide_by_all_strides() -> None:
    assert PLAN.divisor == (4, 4, 2)
    assert (PLAN.dimensions, UNetPlan.uniform(channels=1, widths=(4, 4, 4), dimensions=2).dimensions) == (3, 2)
    assert UNetPlan.uniform(channels=1, widths=(4, 4, 4, 4)).divisor == (8, 8, 8)


MISSHAPED: list[dict[str, Any]] = [{"strides": 7}, {"more": 1}]
"""Not even the shape of a plan."""

CHANGES: list[dict[str, Any]] = [
    {"widths": [4, 8]},
    {"widths": [4, 8, 16, 32]},
    {"widths": [4, 0, 16]},
    {"channels": 0},
    {"channels": "three"},
    {"supervised": 2},
    {"supervised": -1},
    {"strides": [[1, 1, 1], [2, 2, 0], [2, 2, 2]]},
    {"strides": [[1, 1, 1], [2, 2], [2, 2, 2]]},
    {"kernels": [[3, 3], [3, 3], [3, 3]]},
    {"kernels": [[3, 3, 3], [3, 3, 3], [3, 3, -3]]},
    *MISSHAPED,
]


@pytest.mark.parametrize("change", CHANGES, ids=[str(change) for change in CHANGES])
def test_what_makes_no_network_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RejectedInput) as caught:
        UNetPlan.from_parameters(PLAN.parameters | change)
    assert caught.value.code == ("package-parameters" if change in MISSHAPED else "network-plan")


def test_no_parameters_are_no_plan() -> None:
    with pytest.raises(RejectedInput, match="package-parameters"):
        UNetPlan.from_parameters({})
