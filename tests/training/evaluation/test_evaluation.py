"""Evaluation with a small honest segmenter: sessions are real ones, and what comes out can be worked out by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.files import canonical_json
from datasets.formats.nifti import write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from datasets.study.cohort import LoadedCase, read_cohort
from tests.data import STS_NIFTI, require
from tests.training.support.growing_segmenter import GrowingSegmenter
from tests.training.support.synthetic import blob_case, lps_grid
from tests.training.support.tiny_models import tiny_segmenter
from training.evaluation.evaluation import evaluate
from training.evaluation.sessions import LEAST_SLICE_PIXELS, SessionPlan
from training.measures.metrics import agreement, dice
from training.prompts.simulated_boxes import LEAST_PIXELS, TIGHT
from training.prompts.simulated_clicks import ClickRule
from training.prompts.simulated_user import BoxUser, ClickUser, SimulatedUser, SixPointUser
from training.segmenters.segmenter import Segmentation, SegmentationRequest


def phantom(number: int) -> LoadedCase:
    case = blob_case(number)
    return LoadedCase(case.case, {"t2": case.volumes["t2"], "t1": case.volumes["t1"]}, case.mask)


CASES = [phantom(number) for number in (1, 2, 3)]


class BoxFiller:
    """Draws what the boxes hold."""

    def segment(self, request: SegmentationRequest) -> Segmentation:
        grid = request.volumes[request.target].grid
        inside = np.zeros(grid.shape, dtype=np.float32)
        for box in request.prompts.boxes:
            ends = grid.to_voxel([box.corner_mm, box.opposite_mm])
            first, last = np.ceil(ends.min(axis=0) - 1e-6), np.floor(ends.max(axis=0) + 1e-6)
            inside[tuple(slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True))] = 1.0
        return Segmentation(Volume(inside, grid), "boxes-1")


def test_curves_are_those_of_the_real_session() -> None:
    """Played again by hand, with the prompts that were really made, every mask measures the same."""
    segmenter = GrowingSegmenter(tolerance=12)
    found = evaluate(segmenter, CASES[:1], user=ClickUser(), plan=SessionPlan(clicks=4, seeds=1))
    [case] = found.cases
    assert case.clicks == (0, 1, 2, 3, 4)
    assert [len(request.prompts.clicks) for request in segmenter.requests] == [0, 1, 2, 3, 4]
    for place, request in enumerate(segmenter.requests):
        drawn = GrowingSegmenter(tolerance=12).segment(request).probability.data > 0.5
        expected = agreement(drawn, CASES[0].mask.foreground, CASES[0].mask.grid, 2)
        assert case.dice[place] == expected.dice
        assert case.hd95_mm[place] == expected.hd95_mm
    assert case.dice[0] == 0.0
    assert case.assd_mm[0] is None
    assert 0.1 < case.dice[1] < case.dice[4] < 1
    assert case.volume_ml == agreement(drawn, drawn, CASES[0].mask.grid, 2).volume_ml
    assert found.model == "growing-1"


def test_the_session_carries_the_last_probability_and_the_cache_key() -> None:
    segmenter = GrowingSegmenter()
    evaluate(segmenter, CASES[:2], user=ClickUser(), plan=SessionPlan(clicks=2, seeds=2))
    first, second, third = segmenter.requests[:3]
    assert first.previous is None
    assert np.array_equal(second.previous.data, GrowingSegmenter().segment(first).probability.data)
    assert np.array_equal(third.previous.data, GrowingSegmenter().segment(second).probability.data)
    assert third.prompts.clicks[:1] == second.prompts.clicks
    assert segmenter.requests[3].previous is None  # the next seed begins anew
    keys = [request.cache_key for request in segmenter.requests]
    assert len(set(keys[:6])) == len(set(keys[6:])) == 1
    assert keys[0] != keys[6]
    renamed = replace(CASES[1], case="case-1")  # other images under a name that was seen
    evaluate(segmenter, [renamed], user=ClickUser(), plan=SessionPlan(clicks=0, seeds=1))
    assert segmenter.requests[-1].cache_key == keys[6]


def test_seeds_repeat_and_do_not_depend_on_other_cases() -> None:
    alone = evaluate(GrowingSegmenter(), CASES[1:2], user=ClickUser(), plan=SessionPlan(clicks=3, seeds=2)).cases[0]
    among = evaluate(GrowingSegmenter(), CASES, user=ClickUser(), plan=SessionPlan(clicks=3, seeds=2)).cases[1]
    assert alone.dice == among.dice
    one = evaluate(GrowingSegmenter(), CASES[1:2], user=ClickUser(), plan=SessionPlan(clicks=3, seeds=1)).cases[0]
    assert one.dice != alone.dice  # two seeds are two users


def test_seeds_are_averaged() -> None:
    segmenter = GrowingSegmenter()
    [case] = evaluate(segmenter, CASES[:1], user=ClickUser(from_click=1), plan=SessionPlan(clicks=1, seeds=3)).cases
    masks = [GrowingSegmenter().segment(request).probability.data > 0.5 for request in segmenter.requests]
    assert len(masks) == 3
    assert case.dice[0] == pytest.approx(np.mean([dice(mask, CASES[0].mask.data) for mask in masks]))
    assert case.volume_ml == pytest.approx(np.mean(masks) * masks[0].size * CASES[0].mask.grid.voxel_volume_mm3 / 1000)


def test_a_perfect_mask_needs_no_more_clicks() -> None:
    """Without noise one click draws the ball exactly; the curve stays at 1 and no request is made for nothing."""
    case = CASES[0]
    clean = replace(case, volumes={"t2": Volume(case.mask.data.astype(np.float32) * 100, case.mask.grid)})
    segmenter = GrowingSegmenter()
    found = evaluate(segmenter, [clean], user=ClickUser(ClickRule.TWO_STAGE), plan=SessionPlan(clicks=5, seeds=1))
    assert found.cases[0].dice == (0.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    assert found.cases[0].seconds[2:] == (None,) * 4
    assert len(segmenter.requests) == 2
    assert found.summary()["clicks_to_dice"]["0.90"] == {"reached": 1, "of": 1, "median": 1, "cases": {"case-1": 1}}


def test_users_of_one_request() -> None:
    points = evaluate(GrowingSegmenter(), CASES, user=SixPointUser(), plan=SessionPlan(seeds=2))
    assert [case.clicks for case in points.cases] == [(1,)] * 3
    boxes = evaluate(BoxFiller(), CASES, user=BoxUser(), plan=SessionPlan(seeds=2))
    # A ball fills 52 % of the cube around it and 79 % of the squares around its slices: 2 * 0.79 / 1.79.
    assert boxes.summary()["dice"]["mean"][0] == pytest.approx(0.84, abs=0.05)
    assert boxes.model == "boxes-1"
    deep = evaluate(BoxFiller(), CASES, user=BoxUser(TIGHT, with_depth=True), plan=SessionPlan(seeds=1))
    extents = [np.ptp(np.argwhere(case.mask.data), axis=0) + 1 for case in CASES]
    voxels = [int(case.mask.foreground.sum()) for case in CASES]
    expected = [2 * inside / (inside + extent.prod()) for inside, extent in zip(voxels, extents, strict=True)]
    assert [case.dice[0] for case in deep.cases] == pytest.approx(expected)


def test_a_box_on_every_slice_asks_about_those_slices_only() -> None:
    """Methods that carry a box on to slices without one must not draw beyond the tumour's ends."""
    segmenter = GrowingSegmenter()
    evaluate(segmenter, CASES[:1], user=BoxUser(), plan=SessionPlan(seeds=1))
    enough = np.flatnonzero(CASES[0].mask.foreground.sum(axis=(0, 1)) >= LEAST_PIXELS)
    assert segmenter.requests[0].slices == tuple(enough)
    evaluate(segmenter, CASES[:1], user=BoxUser(with_depth=True), plan=SessionPlan(seeds=1))
    assert segmenter.requests[1].slices is None


def test_slices_are_sessions_of_their_own() -> None:
    segmenter = GrowingSegmenter()
    [case] = evaluate(
        segmenter, CASES[:1], user=ClickUser(from_click=1), plan=SessionPlan(clicks=2, seeds=1, per_slice=True)
    ).cases
    pixels = CASES[0].mask.foreground.sum(axis=(0, 1))
    slices = [int(index) for index in np.flatnonzero(pixels >= LEAST_SLICE_PIXELS)]
    assert 2 <= len(slices) < np.count_nonzero(pixels)
    assert sorted({request.slices for request in segmenter.requests}) == [(index,) for index in slices]
    grid = CASES[0].mask.grid
    expected: dict[int, list[float]] = {1: [], 2: []}
    for request in segmenter.requests:
        [index] = request.slices
        for click in request.prompts.clicks:
            assert grid.to_voxel(click.point_mm)[2] == pytest.approx(index)
        drawn = GrowingSegmenter().segment(request).probability.data > 0.5
        overlap = dice(drawn[:, :, index], CASES[0].mask.data[:, :, index])
        expected[len(request.prompts.clicks)].append(overlap)
    assert case.dice[0] == pytest.approx(np.mean(expected[1]))
    assert case.sessions == len(slices)
    assert case.reference_volume_ml == pytest.approx(pixels[slices].sum() * grid.voxel_volume_mm3 / 1000)


def test_slices_are_spread_evenly() -> None:
    grid = lps_grid((20, 20, 30), (1.0, 1.0, 3.0))
    mask = np.zeros(grid.shape, np.uint8)
    mask[5:15, 5:15, 10:20] = 1
    case = LoadedCase("a", {"t1": Volume(mask * np.float32(100), grid)}, Mask(mask, grid))
    segmenter = GrowingSegmenter()
    user = ClickUser(from_click=1)
    evaluate(segmenter, [case], user=user, plan=SessionPlan(clicks=1, seeds=1, per_slice=True, slices_per_case=5))
    assert [request.slices for request in segmenter.requests] == [(11,), (13,), (15,), (17,), (19,)]


def test_a_case_that_fails_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    for name, inside in (("good", CASES[0].mask.data), ("empty", 0 * CASES[0].mask.data)):
        write_volume(tmp_path / name / "t2.nii.gz", CASES[0].volumes["t2"])
        write_mask(tmp_path / name / "mask.nii.gz", Mask(inside, CASES[0].mask.grid))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "t2.nii.gz").write_bytes(b"nothing")
    (tmp_path / "broken" / "mask.nii.gz").write_bytes(b"nothing")
    cohort = read_cohort(tmp_path, {"t2": "*/t2.nii.gz"}, "*/mask.nii.gz")
    told: list[tuple[int, int]] = []
    user = ClickUser(from_click=1)
    found = evaluate(
        GrowingSegmenter(),
        cohort.cases,
        user=user,
        plan=SessionPlan(clicks=1, seeds=2),
        progress=lambda *at: told.append(at),
    )
    assert [case.case for case in found.cases] == ["good"]
    assert [(case.case, case.code) for case in found.refused] == [
        ("broken", "nifti-not-gzip"),
        ("empty", "cohort-empty-mask"),
    ]
    assert told[-1] == (6, 6)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert found.as_dict()["summary"]["refused"][0]["code"] == "nifti-not-gzip"


def test_every_patient_is_drawn_by_the_fold_that_never_saw_it() -> None:
    folds = {"case-1": GrowingSegmenter(tolerance=5), "case-2": GrowingSegmenter(tolerance=40)}

    def fold_of(case: str) -> GrowingSegmenter:
        if case not in folds:
            raise RejectedInput("fold-unknown", "Expected a patient of the folds, got another.", remedy="Train on it.")
        return folds[case]

    found = evaluate(fold_of, CASES, user=ClickUser(), plan=SessionPlan(clicks=1, seeds=1))
    assert [case.code for case in found.refused] == ["fold-unknown"]
    for case in CASES[:2]:
        assert all(request.volumes is case.volumes for request in folds[case.case].requests)
        assert len(folds[case.case].requests) == 2


def test_refusals_of_the_call() -> None:
    def code(**wrong: object) -> str:
        with pytest.raises(RejectedInput) as refused:
            evaluate(GrowingSegmenter(), **({"cases": CASES, "user": ClickUser()} | wrong))
        return refused.value.code

    assert code(cases=[]) == "evaluation-cases"
    assert code(cases=[CASES[0], CASES[0]]) == "evaluation-cases"
    assert code(user=ClickUser(from_click=1), plan=SessionPlan(clicks=0)) == "evaluation-clicks"
    for wrong in ({"seeds": 0}, {"clicks": -1}, {"slices_per_case": 0}):
        with pytest.raises(RejectedInput, match="evaluation-plan"):
            SessionPlan(**wrong)
    refused = evaluate(
        GrowingSegmenter(needs_click=True), CASES[:1], user=ClickUser(), plan=SessionPlan(clicks=1)
    ).refused
    assert refused[0].code == "growing-no-click"
    refused = evaluate(GrowingSegmenter(), CASES[:1], user=ClickUser(), plan=SessionPlan(target="pet")).refused
    assert refused[0].code == "evaluation-target"
    corner = np.zeros_like(CASES[0].mask.data)
    corner[0, 0, 0] = 1
    tiny = replace(CASES[0], mask=Mask(corner, CASES[0].mask.grid))
    refused = evaluate(GrowingSegmenter(), [tiny], user=ClickUser(), plan=SessionPlan(per_slice=True)).refused
    assert refused[0].code == "evaluation-small-tumour"


def test_the_document_is_strict_json_of_one_shape() -> None:
    found = evaluate(
        GrowingSegmenter(), CASES, user=ClickUser(), plan=SessionPlan(clicks=10, seeds=2), about="Phantoms."
    )
    document = json.loads(canonical_json(found.as_dict()))  # refuses NaN and infinity
    assert list(found.as_dict()) == ["model", "cases", "summary"]
    assert all(
        set(case) == {"case", "clicks", "dice", "assd_mm", "hd95_mm", "surface_dice_1mm", "seconds"}
        and {len(values) for name, values in case.items() if name != "case"} == {11}
        for case in document["cases"]
    )
    summary = document["summary"]
    by_case = np.array([case["dice"] for case in document["cases"]])
    assert summary["dice"]["mean"] == pytest.approx(list(by_case.mean(axis=0)), abs=1e-5)
    assert summary["dice"]["sd"] == pytest.approx(list(by_case.std(axis=0, ddof=1)), abs=1e-5)
    assert summary["average_1_to_10"]["dice"]["mean"] == pytest.approx(by_case[:, 1:].mean(), abs=1e-5)
    assert summary["assd_mm"]["n"][0] == 0
    assert summary["assd_mm"]["mean"][0] is None
    assert summary["empty"][0] == summary["sessions"] == 6
    worst = int(by_case[:, -1].argmin())
    assert summary["worst"]["case"] == document["cases"][worst]["case"]
    sizes = summary["sizes"]
    bias = np.mean([each["volume_ml"] - each["reference_volume_ml"] for each in sizes])
    assert summary["agreement"]["volume_ml"]["bias"] == pytest.approx(bias, abs=1e-5)
    assert summary["first_request_seconds"]["n"] == 6
    assert (summary["user"], summary["seeds"], summary["about"]) == ("deepgrow clicks", [0, 1], "Phantoms.")


def test_nothing_but_refusals_is_still_a_document() -> None:
    found = evaluate(GrowingSegmenter(needs_click=True), CASES, user=ClickUser(), plan=SessionPlan(clicks=2))
    assert json.loads(canonical_json(found.as_dict()))["summary"]["evaluated"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "user", "per_slice", "clicks"),
    [
        ("six-points", SixPointUser(), False, (1,)),
        ("clicks-3d", ClickUser(), False, (0, 1, 2)),
        ("two-stage", ClickUser(ClickRule.TWO_STAGE), False, (0, 1, 2)),
        ("clicks-2d", ClickUser(), True, (0, 1, 2)),
    ],
)
def test_the_methods_that_ship_fit_their_users(
    name: str, user: SimulatedUser, per_slice: bool, clicks: tuple[int, ...]
) -> None:
    """Untrained networks draw nonsense, but every request is one that the method accepts."""
    case = replace(CASES[0], volumes={"t1": CASES[0].volumes["t1"]})
    segmenter = tiny_segmenter(name)
    found = evaluate(
        segmenter, [case], user=user, plan=SessionPlan(clicks=2, seeds=1, per_slice=per_slice, slices_per_case=2)
    )
    assert found.refused == ()
    assert found.cases[0].clicks == clicks
    assert found.cases[0].sessions == (2 if per_slice else 1)
    assert all(0 <= value <= 1 for value in found.cases[0].dice)


def test_a_real_patient() -> None:
    cohort = read_cohort(require(STS_NIFTI), {"t1": "STS_00*/MR_T1_image.nii.gz"}, "STS_00*/MR_T1_mask.nii.gz")
    found = evaluate(GrowingSegmenter(tolerance=0.1), cohort.cases[:1], user=SixPointUser(), plan=SessionPlan(seeds=1))
    assert found.refused == ()
    sizes = found.summary()["sizes"][0]
    assert sizes["reference_volume_ml"] > 1
    assert 10 < sizes["reference_diameter_mm"] < 400
