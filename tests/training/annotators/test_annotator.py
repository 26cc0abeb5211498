"""A simulated person works phantoms through: what is counted, what arrives pre-drawn, and when a slice is left."""

from dataclasses import replace

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from datasets.study.cohort import LoadedCase
from tests.training.support.growing_segmenter import GrowingSegmenter
from tests.training.support.synthetic import lps_grid
from training.annotators.actions import COUNTED, SECONDS, Action, ActionLog
from training.annotators.annotator import Finished, Helpers, annotate
from training.annotators.page import annotator_page
from training.annotators.strategy import BY_HAND, OUTLINED, STRATEGIES, GoodEnough, Order, Strategy, halving_order
from training.annotators.study import StudyRules, study_case, summary
from training.measures.metrics import dice
from training.segmenters.segmenter import Segmentation, SegmentationRequest


@pytest.fixture(scope="module")
def case() -> LoadedCase:
    """A ball of 19 slices, bright on a dark ground."""
    grid = lps_grid((64, 56, 25), (1.0, 1.0, 3.0))
    away = (np.indices(grid.shape).reshape(3, -1).T - (30, 28, 12)) * grid.spacing
    inside = (np.linalg.norm(away, axis=1) < 20.0).reshape(grid.shape)
    return LoadedCase("P1", {"t1": Volume(inside.astype(np.float32) * 100, grid)}, Mask(inside.astype(np.uint8), grid))


class Useless:
    """Draws a corner, whatever it is asked."""

    def segment(self, request: SegmentationRequest) -> Segmentation:
        grid = request.volumes[request.target].grid
        probability = np.zeros(grid.shape, np.float32)
        probability[:4, :4] = 1.0
        return Segmentation(Volume(probability, grid), "useless-1")


def worked(case: LoadedCase, strategy: Strategy, helpers: Helpers | None = None, **rest: object) -> Finished:
    return annotate(case, strategy, helpers or Helpers(), random=np.random.default_rng(0), **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", [BY_HAND, OUTLINED, STRATEGIES["strokes"]], ids=lambda each: each.name)
def test_every_case_ends_good_enough_and_every_slice_is_submitted(case: LoadedCase, strategy: Strategy) -> None:
    found = worked(case, strategy)
    assert dice(found.mask, case.mask.foreground) >= 0.95
    with_tumour = set(np.flatnonzero(case.mask.foreground.any(axis=(0, 1))).tolist())
    assert set(found.visited) == with_tumour
    assert found.log.counts[Action.SUBMIT] == found.log.counts[Action.OPEN] == len(found.visited)
    assert found.mask.any(axis=(0, 1)).sum() == len(with_tumour)


def test_by_hand_nothing_arrives_drawn_and_every_slice_costs_a_stroke(case: LoadedCase) -> None:
    found = worked(case, BY_HAND)
    assert set(found.wrong_when_opened.values()) == {1.0}
    assert found.log.counts[Action.STROKE] >= len(found.visited)
    assert found.log.prompts == 0


def test_pre_drawn_slices_save_strokes_and_an_outline_costs_more(case: LoadedCase) -> None:
    strokes = [worked(case, each).log.actions for each in (STRATEGIES["strokes"], BY_HAND, OUTLINED)]
    assert strokes[0] < 0.7 * strokes[1]
    assert strokes[1] < strokes[2]


def test_slices_arrive_better_the_more_are_finished(case: LoadedCase) -> None:
    found = worked(case, STRATEGIES["strokes"])
    wrong = [found.wrong_when_opened[index] for index in found.visited]
    assert wrong[0] == 1.0
    assert np.mean(wrong[-8:]) < 0.25 < np.mean(wrong[:4])


def test_clicks_draw_where_a_model_follows_them(case: LoadedCase) -> None:
    found = worked(case, STRATEGIES["clicks"], Helpers(clicks=GrowingSegmenter()))
    assert found.log.counts[Action.CLICK] >= 1
    assert found.log.counts[Action.ACCEPT] >= 1
    assert found.log.actions < worked(case, BY_HAND).log.actions
    assert dice(found.mask, case.mask.foreground) >= 0.95


@pytest.mark.parametrize("name", ["clicks", "box"])
def test_a_model_that_makes_it_worse_is_undone_and_counted(case: LoadedCase, name: str) -> None:
    found = worked(case, STRATEGIES[name], Helpers(clicks=Useless(), box=Useless()))
    counts = found.log.counts
    assert counts[Action.UNDO] == found.log.prompts >= 1
    assert counts[Action.ACCEPT] == 0
    assert not found.mask[:4, :4].any()
    plain = worked(case, STRATEGIES["strokes"]).log
    assert found.log.actions >= plain.actions + counts[Action.UNDO]


def test_six_points_are_six_actions_and_the_volume_arrives_drawn(case: LoadedCase) -> None:
    found = worked(case, STRATEGIES["points"], Helpers(points=GrowingSegmenter()))
    assert found.log.counts[Action.POINT] == 6
    assert found.log.counts[Action.STROKE] == 0
    assert max(found.wrong_when_opened.values()) < 0.1  # a model's change between slices is not believed wholly
    assert found.log.actions == 7


def test_what_runs_over_the_tumours_end_is_cleared(case: LoadedCase) -> None:
    outwards = replace(STRATEGIES["strokes"], order=Order.OUTWARDS)
    found = worked(case, outwards)
    assert found.log.counts[Action.CLEAR] == 2
    assert found.log.counts[Action.SUBMIT] == np.count_nonzero(case.mask.foreground.any(axis=(0, 1))) + 2
    assert not (found.mask.any(axis=(0, 1)) & ~case.mask.foreground.any(axis=(0, 1))).any()


def test_a_case_that_is_not_good_enough_is_looked_at_again(case: LoadedCase) -> None:
    loose = GoodEnough(share=0.4, floor_share=0.4, case_dice=0.95)
    found = worked(case, STRATEGIES["strokes"], good=loose)
    assert dice(found.mask, case.mask.foreground) >= 0.95
    assert len(found.visited) > len(set(found.visited))


def test_halving_visits_every_slice_once_ends_first() -> None:
    order = halving_order(3, 9, 20)
    assert order[:3] == [9, 3, 20]
    assert sorted(order) == list(range(3, 21))
    assert order[3] == 14
    assert halving_order(5, 5, 5) == [5]


def test_a_missing_model_is_named(case: LoadedCase) -> None:
    with pytest.raises(RejectedInput) as refused:
        worked(case, STRATEGIES["points-clicks"], Helpers(clicks=GrowingSegmenter()))
    assert refused.value.code == "annotator-model"
    assert "points" in refused.value.message


def test_the_log_counts_what_is_said_to_count() -> None:
    log = ActionLog()
    for action in Action:
        log.add(action, 2)
    assert log.actions == 2 * len(COUNTED)
    assert log.prompts == 6
    assert log.as_dict()["with_submits"] == log.actions + 2
    before = log.seconds
    assert before == pytest.approx(2 * sum(SECONDS.values()))
    log.path_mm += 1000.0
    assert log.seconds == pytest.approx(before + 1000.0 * 1.5 * 0.16 / 10)


def test_the_study_says_ratios_and_its_page_shows_them(case: LoadedCase) -> None:
    row = study_case(case, [STRATEGIES["strokes"]], Helpers(), StudyRules())
    again = study_case(case, [STRATEGIES["strokes"]], Helpers(), StudyRules())
    assert row == again
    own = row["strategies"]["strokes"]
    assert own["ratio"] == pytest.approx(row["by_hand"]["actions"] / own["actions"], abs=1e-3)
    other = {**row, "case": "P2", "strategies": {"strokes": {**own, "ratio": 5.5}}}
    found = summary([row, other])
    assert found["strategies"]["strokes"]["ratio"]["mean"] == pytest.approx((own["ratio"] + 5.5) / 2, abs=1e-3)
    assert found["strategies"]["strokes"]["ratio"]["worst"] == min(own["ratio"], 5.5)
    assert found["strategies"]["strokes"]["five_times"] == 1 + (own["ratio"] >= 5)
    document = {
        "models": {},
        "strategies": ["strokes"],
        "rules": StudyRules().described,
        "summary": found,
        "cases": [row, {**other, "case": "<P2>"}],
        "findings": [],
    }
    page = annotator_page(document)
    assert "&lt;P2&gt;: 5.50" in page
    assert "<P2>" not in page
    with pytest.raises(RejectedInput):
        annotator_page({"cases": []})
