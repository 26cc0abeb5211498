"""The post-processing of a fold is chosen on others' cases; masks are drawn as an evaluation's sessions begin."""

from pathlib import Path

import numpy as np

from datasets.image.mask import Inside
from datasets.image.volume import Volume
from datasets.study.cohort import LoadedCase
from tests.training.support.growing_segmenter import GrowingSegmenter
from tests.training.support.synthetic import blob_case
from training.evaluation.evaluation import evaluate
from training.evaluation.results import Evaluation
from training.evaluation.sessions import SessionPlan
from training.fitting.examples import Example
from training.methods.cleaned import CleanedSegmenter, RememberingSegmenter
from training.methods.crossvalidation import TrainedFolds
from training.methods.held_out import HeldOutMasks, HeldOutScores, nested_cleanings
from training.methods.needs import user_of
from training.prompts.simulated_user import ClickUser, SimulatedUser
from training.segmenters.postprocessing import Cleaning, cleaned_mask
from training.segmenters.segmenter import Segmentation, SegmentationRequest, Segmenter
from training.table.table import method_called

NONE, FILL, LARGEST, BOTH = Cleaning


def _scores(fold: int, case: str, best: Cleaning) -> HeldOutScores:
    return HeldOutScores(fold, case, tuple(0.9 if each is best else 0.5 for each in Cleaning))


def test_a_fold_is_cleaned_as_is_best_for_the_others_and_not_for_itself() -> None:
    folds = (("a", "b"), ("c",), ("d",))
    found = [_scores(0, "a", FILL), _scores(0, "b", FILL), _scores(1, "c", LARGEST), _scores(2, "d", LARGEST)]
    assert nested_cleanings(found, folds) == (LARGEST, FILL, FILL)


def test_what_another_split_drew_of_a_splits_own_case_does_not_count() -> None:
    """`b` is tried by both: left out of both choices, it leaves each the other's own case."""
    folds = (("a", "b"), ("b", "c"))
    found = [_scores(0, "a", FILL), _scores(0, "b", BOTH), _scores(1, "b", BOTH), _scores(1, "c", LARGEST)]
    assert nested_cleanings(found, folds) == (LARGEST, FILL)


def test_with_nothing_to_choose_on_masks_stay_as_they_were_drawn() -> None:
    assert nested_cleanings([_scores(0, "a", FILL)], (("a",), ("b",))) == (NONE, FILL)
    assert nested_cleanings([], (("a",),)) == (NONE,)


def test_folds_know_whether_a_case_may_be_in_several(tmp_path: Path) -> None:
    assert not TrainedFolds(tmp_path, (("a",), ("b",))).are_random_splits
    assert TrainedFolds(tmp_path, (("a", "b"), ("b",))).are_random_splits


def test_a_mask_is_that_of_the_first_session_of_an_evaluation() -> None:
    blob = blob_case(3)
    example = Example(blob.case, blob.patient, {"t1": blob.volumes["t1"]}, blob.mask)
    loaded = LoadedCase(example.case, example.volumes, example.mask)
    for name, user in (("six-points", user_of(method_called("six-points"))), ("clicks-3d", ClickUser(from_click=1))):
        _, mask = _kept(GrowingSegmenter(), user, SessionPlan(clicks=1, seeds=1), loaded)
        drawn = HeldOutMasks(lambda _fold: GrowingSegmenter(), method_called(name))(example, 0)
        assert drawn.any()
        np.testing.assert_array_equal(drawn, mask)


class Bright:
    """Draws what is brighter than most of the image: many islands and holes."""

    def __init__(self) -> None:
        self.asked = 0

    def segment(self, request: SegmentationRequest) -> Segmentation:
        self.asked += 1
        volume = request.volumes[request.target]
        inside = np.asarray(volume.data) > np.percentile(volume.data, 70)
        return Segmentation(Volume(inside.astype(np.float32) * np.float32(0.8), volume.grid), "bright-1")


def _kept(segmenter: Segmenter, user: SimulatedUser, plan: SessionPlan, case: LoadedCase) -> tuple[Evaluation, Inside]:
    """An evaluation of one case, and the mask that it kept."""
    kept: list[Inside] = []
    found = evaluate(segmenter, [case], user=user, plan=plan, keep=lambda _case, mask: kept.append(mask.foreground))
    return found, kept[0]


def test_what_draws_by_itself_draws_once_and_is_cleaned_anew_each_time() -> None:
    blob = blob_case(2)
    loaded = LoadedCase(blob.case, {"t1": blob.volumes["t1"]}, blob.mask)
    bright, method = Bright(), method_called("unet-3d")
    remembering = RememberingSegmenter(bright)
    first = HeldOutMasks(lambda _fold: remembering, method)(loaded, 0)
    sizes = set()
    for cleaning in Cleaning:
        segmenter = CleanedSegmenter(remembering, cleaning)
        found, mask = _kept(segmenter, user_of(method), SessionPlan(clicks=0, seeds=3), loaded)
        np.testing.assert_array_equal(mask, cleaned_mask(first, cleaning))
        sizes.add(int(mask.sum()))
        assert found.cases[0].sessions == 3
        assert found.cases[0].seconds[0] is not None
    assert bright.asked == 1
    assert len(sizes) > 1, "else this shows nothing"
