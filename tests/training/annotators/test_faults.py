"""Planted faults: where they say, of the kind they say, and the same for the same seed."""

import numpy as np
import pytest

from datasets.errors import RejectedInput
from tests.training.support.synthetic import lps_grid
from training.annotators.faults import FaultKind, bent_mask, plant_fault
from training.measures.drafts import corrected_share, unchanged
from training.measures.metrics import assd_mm, dice
from training.measures.shape import Oddity, shape_findings

GRID = lps_grid((70, 64, 16), (0.9, 1.1, 4.0))


def body() -> np.ndarray:
    i, j, k = np.indices(GRID.shape)
    away = ((i - 33) * 0.9 / 15) ** 2 + ((j - 30) * 1.1 / 12) ** 2 + ((k - 8) * 4.0 / 24) ** 2
    return away <= 1


TRUTH = body()
DRAWN = set(np.flatnonzero(TRUTH.any(axis=(0, 1))).tolist())


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", FaultKind)
def test_a_fault_is_what_and_where_it_says(kind: FaultKind, seed: int) -> None:
    found = plant_fault(TRUTH, GRID, 2, kind=kind, random=np.random.default_rng(seed))
    again = plant_fault(TRUTH, GRID, 2, kind=kind, random=np.random.default_rng(seed))
    assert np.array_equal(found.inside, again.inside)
    assert np.array_equal(found.region, found.inside != TRUTH)
    assert np.count_nonzero(found.region) >= 10
    assert tuple(np.flatnonzero(found.region.any(axis=(0, 1)))) == found.slices
    assert set(found.slices) <= DRAWN
    assert corrected_share(found.inside, found.region, TRUTH, TRUTH) == 1.0
    assert corrected_share(found.inside, found.region, found.inside, TRUTH) == 0.0
    if kind is FaultKind.MISSING_SLICE:
        assert not found.inside[..., found.slices[0]].any()
    if kind is FaultKind.EXTRA_BLOB:
        assert not (found.region & TRUTH).any()
        assert [each.kind for each in shape_findings(found.inside, GRID, 2)] == [Oddity.PIECE]
    if kind is FaultKind.SHIFTED_BOUNDARY:
        assert len(found.slices) <= 3
        assert not ((found.region & TRUTH).any() and (found.region & ~TRUTH).any()), "either out or in"
    if kind is FaultKind.WRONG_SLICE:
        (wrong,) = found.slices
        assert any(np.array_equal(found.inside[..., wrong], TRUTH[..., other]) for other in DRAWN - {wrong})


@pytest.mark.parametrize("kind", FaultKind)
def test_slices_run_along_any_axis(kind: FaultKind) -> None:
    turned = lps_grid((16, 70, 64), (4.0, 0.9, 1.1))
    found = plant_fault(np.moveaxis(TRUTH, 2, 0), turned, 0, kind=kind, random=np.random.default_rng(3))
    usual = plant_fault(TRUTH, GRID, 2, kind=kind, random=np.random.default_rng(3))
    assert np.array_equal(np.moveaxis(found.inside, 0, 2), usual.inside)


def test_no_place() -> None:
    lone = np.zeros(GRID.shape, dtype=bool)
    lone[30:40, 30:40, 8] = True
    random = np.random.default_rng(0)
    for kind, inside in (
        (FaultKind.MISSING_SLICE, lone),
        (FaultKind.WRONG_SLICE, lone),
        (FaultKind.EXTRA_BLOB, np.ones(GRID.shape, dtype=bool)),
        (FaultKind.SHIFTED_BOUNDARY, np.zeros(GRID.shape, dtype=bool)),
    ):
        with pytest.raises(RejectedInput) as refusal:
            plant_fault(inside, GRID, 2, kind=kind, random=random)
        assert refusal.value.code == "no-place-for-fault"


def test_readers_differ_by_what_was_asked_for() -> None:
    random = np.random.default_rng(1)
    little, much = (
        [bent_mask(TRUTH, GRID, bend_mm=millimetres, random=random) for _ in range(6)] for millimetres in (0.5, 2.0)
    )
    assert min(dice(TRUTH, each) for each in little) > 0.9
    assert max(dice(TRUTH, each) for each in much) < min(dice(TRUTH, each) for each in little)
    assert 0.5 < np.mean([assd_mm(TRUTH, each, GRID) for each in much]) < 3.0
    assert not bent_mask(TRUTH & False, GRID, bend_mm=1.0, random=random).any()


def test_a_simulated_reader_study_is_counted_right() -> None:
    """Forty drafts with a fault: one reader mends each third, hands in each fourth as it came, bends none."""
    random = np.random.default_rng(12)
    kinds = list(FaultKind)
    mended, untouched = [], []
    for number in range(40):
        draft = plant_fault(TRUTH, GRID, 2, kind=kinds[number % 4], random=random)
        final = draft.inside.copy()
        if number % 3 == 0:
            final[draft.region] = TRUTH[draft.region]
        elif number % 4:
            final[33, 30, 8] ^= True  # touched, but nothing of the fault outside this voxel
        mended.append(corrected_share(draft.inside, draft.region, final, TRUTH))
        untouched.append(unchanged(draft.inside, final, 2).is_whole)
    assert sum(share == 1.0 for share in mended) == sum(number % 3 == 0 for number in range(40)) == 14
    assert sum(untouched) == sum(number % 3 != 0 and number % 4 == 0 for number in range(40)) == 6
