"""Active time, worked out by hand for each sequence of moments."""

from datetime import UTC, datetime, timedelta

import pytest

from annotation_backend.history.active import IDLE_AFTER, Moment, seconds_by_person_and_place, work_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _at(second: float, place: str = "A", *, person: int = 1, ends: bool = False) -> Moment[str]:
    return Moment(person, NOON + timedelta(seconds=second), place, ends)


@pytest.mark.parametrize(
    ("moments", "seconds"),
    [
        ([], {}),
        ([_at(0)], {}),
        ([_at(0), _at(30), _at(50)], {(1, "A"): 50}),
        ([_at(0), _at(60)], {(1, "A"): 60}),
        ([_at(0), _at(60.001)], {}),
        ([_at(0), _at(10), _at(1000), _at(1020)], {(1, "A"): 30}),
        ([_at(0, "A"), _at(20, "B"), _at(25, "B"), _at(40, "A")], {(1, "A"): 20, (1, "B"): 20}),
        ([_at(0), _at(10, ends=True), _at(30)], {(1, "A"): 10}),
        ([_at(0), _at(0), _at(10), _at(10)], {(1, "A"): 10}),
        ([_at(0), _at(10, person=2), _at(40, person=2)], {(2, "A"): 30}),
    ],
    ids=["none", "alone", "a-row", "just-in", "just-out", "a-break", "to-and-fro", "stopped", "at-once", "two-people"],
)
def test_it_is_the_time_between_moments_that_follow_closely(moments: list[Moment[str]], seconds: object) -> None:
    assert timedelta(seconds=60) == IDLE_AFTER
    assert seconds_by_person_and_place(moments) == seconds


def test_two_tabs_of_one_person_do_not_count_twice() -> None:
    """Both say every 30 s for two minutes that the person works: two minutes in all."""
    one = [_at(second, "A") for second in range(0, 121, 30)]
    other = [_at(second + 10, "B") for second in range(0, 91, 30)]
    found = seconds_by_person_and_place([*one, *other])
    assert found == {(1, "A"): 4 * 10, (1, "B"): 4 * 20}
    assert sum(found.values()) == 120


def test_a_tab_that_falls_idle_ends_no_work_on_another() -> None:
    moments = [_at(0, "A"), _at(10, "B"), _at(40, "A", ends=True), _at(50, "B")]
    assert seconds_by_person_and_place(moments) == {(1, "A"): 10, (1, "B"): 40}


def test_a_clock_that_was_set_back_makes_no_time_negative_and_counts_none_twice() -> None:
    """The order in which they were stored is another than that of their times."""
    moments = [_at(0), _at(30), _at(60), _at(20), _at(50)]
    assert seconds_by_person_and_place(moments) == {(1, "A"): 60}
    assert all(work.seconds > 0 for work in work_of(moments))
