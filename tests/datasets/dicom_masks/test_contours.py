"""Contours become voxels by stated rules: holes, keyholes, planes between slices; tangled ones are named."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from datasets.dicom_masks.contours import DrawnContour, fill_contours
from datasets.dicom_masks.polygon_crossing import crosses_itself
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.image.volume import Grid, Points

SHAPE = (30, 24, 6)


def _grid(angles: tuple[float, float, float] = (0.0, 0.0, 0.0), *, flip: bool = False) -> Grid:
    affine = np.eye(4)
    for axis, angle in enumerate(angles):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        affine[:3, :3] = affine[:3, :3] @ step
    affine[:3, :3] = affine[:3, :3] @ np.diag([-0.8 if flip else 0.8, -1.25, 4.0])
    affine[:3, 3] = (12.0, -30.5, 101.0)
    return Grid(SHAPE, affine)


GRID = _grid()


def _fill(contours: list[Points], grid: Grid = GRID) -> tuple[NDArray[np.uint8], list[Finding]]:
    """Contours given in voxel coordinates (n, 3)."""
    return fill_contours([DrawnContour(grid.to_world(points)) for points in contours], grid, subject="region 1")


def _codes(findings: list[Finding]) -> list[str]:
    assert all(finding.level is Level.WARNING and finding.subject == "region 1" for finding in findings)
    return [finding.code for finding in findings]


def _box(low: float, high: float, height: float, *, backwards: bool = False) -> Points:
    corners = np.array([(low, low), (high, low), (high, high), (low, high)])
    points = np.column_stack([corners, np.full(4, height)])
    return points[::-1] if backwards else points


def _at(points: Points, height: float) -> Points:
    return np.column_stack([points, np.full(len(points), height)])


def test_contours_within_contours_are_holes_and_islands() -> None:
    data, findings = _fill([_box(1.5, 20.5, 2), _box(5.5, 15.5, 2), _box(8.5, 10.5, 2)])
    expected = np.zeros(SHAPE, dtype=np.uint8)
    expected[2:21, 2:21, 2] = 1
    expected[6:16, 6:16, 2] = 0
    expected[9:11, 9:11, 2] = 1
    assert np.array_equal(data, expected)
    assert findings == []


def test_a_contour_without_an_area_is_left_out_and_said() -> None:
    line = _at(np.array([(5.0, 5.0), (10.0, 10.0), (15.0, 15.0)]), 2)
    data, findings = _fill([_box(1.5, 4.5, 2), line])
    assert (int(data.sum()), _codes(findings)) == (9, ["contour-flat"])
    with pytest.raises(RejectedInput, match="contour-flat"):
        _fill([line])


def test_a_contour_that_went_round_four_times_or_there_and_back_is_one() -> None:
    box = _box(1.5, 20.5, 2)
    for rounds in ([box] * 4, [box, box[::-1]], [box, np.roll(box, 2, axis=0)], [box, np.repeat(box, 2, axis=0)]):
        data, findings = _fill([np.concatenate(rounds)])
        assert (int(data.sum()), findings) == (19 * 19, [])


def test_a_keyhole_gives_the_same_pixels_as_a_hole() -> None:
    outer, inner = _box(1.5, 20.5, 3), _box(5.5, 15.5, 3, backwards=True)
    # once round the outside, through the channel, once round the hole the other way, and back through the channel
    keyhole = np.vstack([outer, outer[:1], np.roll(inner, 1, axis=0), np.roll(inner, 1, axis=0)[:1]])
    apart, _ = _fill([outer, inner])
    together, findings = _fill([keyhole])
    assert np.array_equal(together, apart)
    assert findings == []


def test_several_contours_of_a_slice_are_all_there() -> None:
    data, findings = _fill([_box(1.5, 4.5, 0), _box(10.5, 13.5, 0), _box(1.5, 4.5, 5)])
    assert data.sum(axis=(0, 1)).tolist() == [18, 0, 0, 0, 0, 9]
    assert _codes(findings) == ["contour-gap"]
    assert "4 slices" in findings[0].message


@pytest.mark.parametrize(("height", "k"), [(2.3, 2), (2.5, 3), (2.7, 3), (-0.4, 0), (5.4, 5)])
def test_a_contour_between_slices_goes_to_the_nearest_and_is_named(height: float, k: int) -> None:
    data, findings = _fill([_box(3.5, 9.5, height)])
    assert np.flatnonzero(data.any(axis=(0, 1))).tolist() == [k]
    assert _codes(findings) == ["contour-between-slices"]
    assert f"up to {abs(height - k) * 4.0:.2f} mm" in findings[0].message


def test_contours_of_slices_shifted_by_half_a_step_keep_their_number() -> None:
    data, _ = _fill([_box(3.5, 9.5, height) for height in (0.5, 1.5, 2.5, 3.5)])
    assert np.count_nonzero(data.any(axis=(0, 1))) == 4


def test_a_finer_reformation_gives_each_slice_its_nearest_plane() -> None:
    """Boxes that grow by a pixel every quarter step: each slice must get the box drawn on it, nothing cancelled."""
    planes = np.arange(4, 17) / 4
    data, findings = _fill([_box(11.5 - n / 2, 12.5 + n / 2, height) for n, height in enumerate(planes)])
    for k in (1, 2, 3, 4):
        n = int(np.argmin(np.abs(planes - k)))
        alone, _ = _fill([_box(11.5 - n / 2, 12.5 + n / 2, k)])
        assert np.array_equal(data[:, :, k], alone[:, :, k])
    assert _codes(findings) == ["contour-between-slices"]
    assert "9 lay further" in findings[0].message


def test_rounded_coordinates_are_on_their_slice_without_a_word() -> None:
    noise = np.random.default_rng(0).uniform(-0.04, 0.04, 2)
    data, findings = _fill([_box(1.5, 20.5, 2 + noise[0] / 2), _box(5.5, 15.5, 2 + noise[1] / 2)])
    assert data[10, 10, 2] == 0
    assert data[3, 3, 2] == 1
    assert findings == []


def test_a_contour_drawn_twice_counts_once() -> None:
    data, findings = _fill([_box(1.5, 9.5, 2), _box(1.5, 9.5, 2)])
    assert data.sum() == 64
    assert _codes(findings) == ["contour-twice"]


@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("aside", [0.0, 0.01, -0.01])
def test_a_contour_drawn_twice_is_one_wherever_it_begins_and_whichever_way(start: int, way: int, aside: float) -> None:
    once = _box(1.5, 9.5, 2)
    again = np.roll(once, start, axis=0)[::way] + np.array([aside, aside, 0.0])
    data, findings = _fill([once, again])
    assert data.sum() == 64
    assert _codes(findings) == ["contour-twice"]


def test_a_contour_with_more_points_on_the_same_outline_is_the_same() -> None:
    once = _box(1.5, 9.5, 2)
    finer = np.vstack([once, (once + np.roll(once, -1, axis=0)) / 2])[[0, 4, 1, 5, 2, 6, 3, 7, 0]]
    data, findings = _fill([once, finer])
    assert data.sum() == 64
    assert _codes(findings) == ["contour-twice"]


def test_a_contour_that_goes_round_twice_is_filled() -> None:
    once = _box(1.5, 9.5, 2)
    data, _ = _fill([np.vstack([once, once + np.array([0.005, 0.0, 0.0])])])
    assert data.sum() == 64
    data, _ = _fill([np.vstack([once, once[:1], once, once[:1]])])
    assert data.sum() == 64


def test_a_hole_that_stands_twice_stays_a_hole() -> None:
    data, findings = _fill([_box(1.5, 9.5, 2), _box(3.5, 6.5, 2), _box(3.5, 6.5, 2, backwards=True)])
    assert data.sum() == 64 - 9
    assert _codes(findings) == ["contour-twice"]


def test_a_rim_thinner_than_a_pixel_is_named() -> None:
    grid = Grid(SHAPE, np.diag([1.0, 1.0, 4.0, 1.0]))
    data, findings = _fill([_box(0.9, 10.1, 2), _box(1.5, 9.5, 2)], grid)
    assert data.sum() == 100 - 64
    assert _codes(findings) == ["contour-thin-rim"]


def test_the_same_corners_in_another_order_are_another_contour() -> None:
    """A bow tie has the corners of its square, and half its inside."""
    square = _box(1.5, 9.5, 2)
    _, findings = _fill([square, square[[0, 2, 1, 3]]])
    assert "contour-twice" not in _codes(findings)


def test_what_leaves_the_picture_is_cut_and_said() -> None:
    data, findings = _fill([_box(-4.5, 6.5, 2), _box(-4.5, 6.5, 3), _box(40.5, 45.5, 3)])
    assert data.sum(axis=(0, 1)).tolist() == [0, 0, 49, 49, 0, 0]
    assert _codes(findings) == ["contour-outside"]
    assert "2 contour(s) reach up to 5.6 mm" in findings[0].message
    assert "1 wholly outside" in findings[0].message


def test_contours_beyond_the_last_slice_are_left_out_and_said() -> None:
    data, findings = _fill([_box(3.5, 9.5, 5), _box(3.5, 9.5, 6), _box(3.5, 9.5, 7)])
    assert np.flatnonzero(data.any(axis=(0, 1))).tolist() == [5]
    assert _codes(findings) == ["contour-outside"]


@pytest.mark.parametrize("height", [1.5, 2.0, 2.4, 0.95, 3.05])
def test_a_contour_belongs_to_the_image_that_it_names(height: float) -> None:
    contour = DrawnContour(GRID.to_world(_box(3.5, 9.5, height)), slice_index=2)
    data, findings = fill_contours([contour], GRID, subject="region 1")
    assert np.flatnonzero(data.any(axis=(0, 1))).tolist() == [2]
    assert _codes(findings) == ([] if height == 2.0 else ["contour-between-slices"])


def test_contours_of_one_image_are_all_used_where_rounding_moved_them() -> None:
    contours = [
        DrawnContour(GRID.to_world(points), slice_index=2) for points in (_box(1.5, 4.5, 1.92), _box(8.5, 9.5, 2.08))
    ]
    data, findings = fill_contours(contours, GRID, subject="region 1")
    assert data.sum() == 9 + 1
    assert findings == []


def test_a_contour_slices_away_from_the_image_that_it_names_is_refused() -> None:
    with pytest.raises(RejectedInput) as caught:
        fill_contours([DrawnContour(GRID.to_world(_box(3.5, 9.5, 4)), slice_index=2)], GRID, subject="region 1")
    assert caught.value.code == "contour-image-differs"
    assert "8.00 mm" in caught.value.message


TALL = Grid((40, 40, 30), np.diag([1.0, 1.0, 3.0, 1.0]))


@pytest.mark.parametrize("every", [2, 3, 5])
def test_contours_further_apart_than_slices_are_filled_between_and_said(every: int) -> None:
    drawn = range(3, 28, every)
    data, findings = _fill([_box(4.5 + k / 4, 20.5 + k / 4, k) for k in drawn], TALL)
    assert _codes(findings) == ["contour-filled-between"]
    assert f"{every * 3.0:.1f} mm apart on slices 3.0 mm apart" in findings[0].message
    assert f"{(len(drawn) - 1) * (every - 1)} slices" in findings[0].message
    for k in range(drawn[0], drawn[-1] + 1):
        expected, _ = _fill([_box(4.5 + k / 4, 20.5 + k / 4, k)], TALL)
        missed = np.count_nonzero(data[:, :, k] != expected[:, :, k])
        assert missed <= 4 * 17, k  # no more than a pixel along each side


def test_contours_at_distances_that_are_no_whole_slices_are_filled_between() -> None:
    data, findings = _fill([_box(4.5, 20.5, height) for height in np.arange(2, 12, 1.5)], TALL)
    assert np.flatnonzero(data.any(axis=(0, 1))).tolist() == list(range(2, 12))
    assert {"contour-filled-between"} <= set(_codes(findings))


@pytest.mark.parametrize("drawn", [(3, 4, 5, 8, 9), (3, 6), (3, 10, 17, 24), (3, 4, 6, 8, 10), (2, 5, 9, 16)])
def test_slices_missing_without_a_pattern_are_left_empty_and_said(drawn: tuple[int, ...]) -> None:
    data, findings = _fill([_box(4.5, 20.5, k) for k in drawn], TALL)
    assert np.flatnonzero(data.any(axis=(0, 1))).tolist() == list(drawn)
    assert _codes(findings) == ["contour-gap"]
    assert f"{drawn[-1] - drawn[0] + 1 - len(drawn)} slices" in findings[0].message


def test_the_space_between_two_parts_drawn_on_every_other_slice_is_not_invented() -> None:
    drawn = (2, 4, 6, 16, 18, 20)
    data, findings = _fill([_box(4.5, 20.5, k) for k in drawn], TALL)
    assert np.flatnonzero(data.any(axis=(0, 1))).tolist() == [2, 3, 4, 5, 6, 16, 17, 18, 19, 20]
    assert _codes(findings) == ["contour-filled-between", "contour-gap"]
    assert "9 slices" in findings[1].message


def test_parts_beside_one_another_are_not_joined() -> None:
    """Small parts on every other slice that do not lie above one another: nothing says what is between."""
    data, findings = _fill([_box(2.5 + 6 * n, 5.5 + 6 * n, 3 + 2 * n) for n in range(4)], TALL)
    assert np.flatnonzero(data.any(axis=(0, 1))).tolist() == [3, 5, 7, 9]
    assert _codes(findings) == ["contour-gap"]


def test_a_hole_goes_on_between_slices() -> None:
    contours = [box for k in (3, 5, 7) for box in (_box(4.5, 30.5, k), _box(10.5, 24.5, k))]
    data, findings = _fill(contours, TALL)
    assert data.sum(axis=(0, 1)).tolist()[3:8] == [26 * 26 - 14 * 14] * 5
    assert _codes(findings) == ["contour-filled-between"]


def test_a_part_that_misses_slices_while_another_has_them_is_named() -> None:
    contours = [_box(2.5, 10.5, k) for k in range(3, 12)] + [_box(20.5, 30.5, k) for k in (3, 5, 7, 9, 11)]
    data, findings = _fill(contours, TALL)
    assert not data[20:31, 20:31, 4].any()
    assert _codes(findings) == ["contour-gap"]
    assert "4 parts" in findings[0].message


def test_contours_that_overlap_in_part_are_named() -> None:
    data, findings = _fill([_box(1.5, 9.5, 2), _box(5.5, 15.5, 2)])
    assert data.sum() == 64 + 100 - 2 * 16
    assert _codes(findings) == ["contour-overlap"]


def test_a_figure_of_eight_keeps_both_loops_and_is_named() -> None:
    eight = _at(np.array([(1.5, 1.5), (9.5, 9.5), (9.5, 1.5), (1.5, 9.5)]), 1)
    data, findings = _fill([eight])
    assert [data[place] for place in ((2, 5, 1), (9, 5, 1), (5, 2, 1), (5, 9, 1))] == [1, 1, 0, 0]
    assert _codes(findings) == ["contour-self-crossing"]


@pytest.mark.parametrize(
    ("code", "points"),
    [
        ("contour-off-slice", np.array([(2.0, 2.0, 1.8), (9.0, 2.0, 2.0), (9.0, 9.0, 2.2), (2.0, 9.0, 2.0)])),
        ("contour-off-slice", np.array([(5.0, 2.0, 0.0), (5.0, 9.0, 0.0), (5.0, 9.0, 3.0)])),
        ("contour-outside", _box(3.5, 9.5, 5.6)),
        ("contour-outside", _box(3.5, 9.5, -0.6)),
        ("contour-outside", _box(30.5, 33.5, 2)),
        ("contour-outside", _box(-9.5, -2.5, 2)),
    ],
)
def test_contours_off_the_grid_are_refused(code: str, points: Points) -> None:
    with pytest.raises(RejectedInput) as caught:
        _fill([points])
    assert caught.value.code == code


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    flip=st.booleans(),
    centre=st.tuples(st.floats(9, 20), st.floats(9, 14)),
    radii=st.lists(st.floats(1, 8), min_size=3, max_size=40),
    k=st.integers(0, 5),
)
def test_pixels_are_inside_when_their_centres_are_however_the_slices_are_turned(
    angles: tuple[float, float, float], flip: bool, centre: tuple[float, float], radii: list[float], k: int
) -> None:
    """A star-shaped contour, held against its own definition: a centre is inside when it is nearer than the outline."""
    turns = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    corners = np.column_stack([np.cos(turns), np.sin(turns)]) * np.array(radii)[:, None] + centre
    data, findings = _fill([_at(corners, k)], _grid(angles, flip=flip))
    assert findings == []
    following = np.roll(corners, -1, axis=0)
    for i, j in np.ndindex(SHAPE[:2]):
        offset = np.array([i, j]) - centre
        sector = int((np.arctan2(offset[1], offset[0]) % (2 * np.pi)) / (2 * np.pi) * len(radii)) % len(radii)
        edge, way = following[sector] - corners[sector], np.array([i, j]) - corners[sector]
        side = edge[0] * way[1] - edge[1] * way[0]
        if abs(side) > 1e-6 * np.linalg.norm(edge) and len(radii) > 3:
            assert data[i, j, k] == (side > 0), (i, j)
    assert not np.delete(data, k, axis=2).any()


@pytest.mark.parametrize(
    ("points", "crosses"),
    [
        ([(0, 0), (1, 1), (1, 0), (0, 1)], True),
        ([(0, 0), (2, 0), (2, 2), (0, 2)], False),
        ([(0, 0), (2, 0), (2, 2), (1, 2), (1, 0.0), (1, 2), (0, 2)], False),  # touches and runs back into itself
        ([(0, 0), (4, 0), (4, 4), (2, -1), (0, 4)], True),
        ([(0, 0), (0, 0), (1, 0), (1, 1)], False),  # a point given twice
    ],
)
def test_what_counts_as_crossing(points: list[tuple[float, float]], crosses: bool) -> None:
    turned = np.array(points, dtype=np.float64)
    for _ in range(4):
        turned = turned @ np.array([[0.0, 1.0], [-1.0, 0.0]])
        for start in range(len(points)):
            assert crosses_itself(np.roll(turned, start, axis=0)) is crosses


@settings(max_examples=60, deadline=None)
@given(points=st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=3, max_size=14))
def test_crossings_are_found_like_by_looking_at_every_pair(points: list[tuple[float, float]]) -> None:
    corners = np.round(np.array(points), 3)

    def side(a: Points, b: Points, c: Points) -> float:
        return float(np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])))

    edges = [(corners[n], corners[(n + 1) % len(corners)]) for n in range(len(corners))]
    margins = [abs(side(a, b, c)) for a, b in edges for c in corners]
    expected = any(
        side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
        for n, (a, b) in enumerate(edges)
        for c, d in edges[:n]
    )
    assert crosses_itself(corners) is expected or 0.0 in margins


def test_tangles_that_nobody_draws_cost_no_time() -> None:
    zigzag = np.column_stack([np.linspace(0, 20, 50_000), np.tile([0.0, 20.0], 25_000)])
    began = time.process_time()
    _, findings = _fill([_at(zigzag, 1)])
    assert time.process_time() - began < 2.0
    assert "contour-self-crossing" in _codes(findings)


def test_hundreds_of_overlapping_contours_cost_no_time() -> None:
    grid = Grid((512, 512, 2), np.diag([0.5, 0.5, 4.0, 1.0]))
    boxes = [_box(0.5 + 1.1 * n, 130.5 + 1.1 * n, 1) for n in range(340)]
    began = time.process_time()
    _, findings = _fill(boxes, grid)
    assert time.process_time() - began < 5.0
    assert _codes(findings) == ["contour-overlap"]


def test_contours_beside_the_picture_fill_what_is_in_it() -> None:
    data, _ = _fill([_box(-0.5, 3.5, 2), np.array([(-1.0, -1.0, 1), (-1.0, -0.6, 1), (-0.6, -0.6, 1)])])
    assert data[:4, :4, 2].all()
    assert data.sum() == 16
