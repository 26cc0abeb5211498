"""A click on a slice that has a mask changes it where it was clicked, and nowhere else."""

import numpy as np

from annotation_backend.inference.sessions.local_edit import edited
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import Click

PLANE = PicturePlane.of(Grid((80, 80, 5), np.diag([-1.0, -1.0, 4.0, 1.0])))


def _disc(row: int, column: int, radius: int) -> np.ndarray:
    rows, columns = np.mgrid[:80, :80]
    return np.asarray((rows - row) ** 2 + (columns - column) ** 2 <= radius**2)


def _click(row: int, column: int, *, positive: bool = True) -> Click:
    x, y, z = PLANE.grid.to_world(PLANE.pixel_to_voxel((column + 0.5, row + 0.5), index=2)).tolist()
    return Click((x, y, z), positive=positive)


def test_a_click_in_a_bite_fills_the_bite_and_spoils_nothing() -> None:
    true, bite = _disc(40, 40, 20), _disc(28, 40, 6)
    answer = (_disc(46, 40, 15) | bite | _disc(66, 66, 8)) & ~_disc(50, 25, 5)
    mask = edited(true & ~bite, answer, [_click(28, 40)], PLANE)
    assert (mask & bite).sum() > 0.9 * (bite & true).sum()
    assert not (true & ~bite & ~mask).any(), "something that was right was taken away"
    assert not (mask & _disc(66, 66, 8)).any(), "something far from the click was added"


def test_a_click_beside_the_tumour_takes_away_what_is_there_and_adds_nothing() -> None:
    tumour, leak = _disc(40, 30, 15), _disc(40, 52, 8)
    mask = edited(tumour | leak, tumour & ~_disc(30, 30, 4) | _disc(70, 70, 5), [_click(40, 54, positive=False)], PLANE)
    assert not mask[40, 54]
    assert (mask & tumour & _disc(30, 30, 4)).sum() == (tumour & _disc(30, 30, 4)).sum()
    assert not mask[70, 70]


def test_a_rim_all_around_does_not_carry_a_change_to_the_other_side() -> None:
    start, bite = _disc(40, 40, 20), _disc(20, 40, 7)
    answer = _disc(40, 40, 21) | bite | _disc(60, 40, 7)
    mask = edited(start, answer, [_click(17, 40)], PLANE)
    assert mask[15, 40]
    assert not mask[65, 40]


def test_where_the_model_changes_nothing_at_the_click_the_mask_stays() -> None:
    start = _disc(40, 40, 10)
    assert np.array_equal(edited(start, _disc(40, 42, 10), [_click(5, 5)], PLANE), start)
