"""How a training goes: time left and losses, by a clock of ours."""

from itertools import pairwise

from annotation_backend.learning.pages.loss_plot import loss_plot
from annotation_backend.learning.runs.curves import MOST_POINTS, Going


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_the_time_left_counts_the_other_folds() -> None:
    """From the 1st to the 11th iteration 20 s: 2 s each; 89 are left of this fold, and 3 x 100 of the others."""
    clock = Clock()
    going = Going(fits=4, now=clock)
    going.tell("fold 1 of 4", 1, 100, 0.9)
    clock.at = 20.0
    going.tell("fold 1 of 4", 11, 100, 0.5)
    assert going.described()["seconds_left"] == 2 * (89 + 300)
    going.tell("comparing images", 3, 7, None)
    assert (going.described()["part"], going.described()["done"]) == ("comparing images", 3)
    going.tell("fold 2 of 4", 1, 100, 0.9)
    clock.at = 30.0
    going.tell("fold 2 of 4", 11, 100, 0.5)
    assert going.described()["seconds_left"] == 1 * (89 + 200)


def test_a_curve_has_few_points_and_each_is_the_mean_of_its_iterations() -> None:
    going = Going()
    for done in range(1, 1201):
        going.tell("iteration", done, 1200, float(done))
    [curve] = going.described()["curves"]
    assert len(curve["points"]) == MOST_POINTS
    assert curve["points"][:2] == [(10, 5.5), (20, 15.5)]
    assert all(one[0] < other[0] for one, other in pairwise(curve["points"]))


def test_a_training_that_goes_on_keeps_its_curve_up_to_the_checkpoint() -> None:
    former = Going()
    for done in range(1, 9):
        former.tell("iteration", done, 20, 1.0)
    told = former.described()
    told["curves"] = [{**one, "points": [list(point) for point in one["points"]]} for one in told["curves"]]
    going = Going(former=told)
    going.tell("iteration", 6, 20, 0.5)
    [curve] = going.described()["curves"]
    assert curve["points"] == [*((done, 1.0) for done in range(1, 6)), (6, 0.5)]


def test_two_networks_of_one_part_are_two_curves() -> None:
    going = Going()
    for _ in range(2):
        for done in (1, 2):
            going.tell("iteration", done, 2, 0.1)
    assert [curve["name"] for curve in going.described()["curves"]] == ["iteration", "iteration, next network"]


def test_the_drawing_spans_all_losses() -> None:
    plot = loss_plot([{"name": "fold 1 of 1", "total": 10, "points": [[5, 1.0], [10, 0.5]]}])
    assert plot is not None
    assert (plot.lowest, plot.highest, plot.iterations) == (0.5, 1.0, 10)
    assert plot.lines[0].path == "M320.0 20.0L600.0 200.0"
    assert loss_plot([]) is None
    assert loss_plot([{"name": "x", "total": 10, "points": []}]) is None
