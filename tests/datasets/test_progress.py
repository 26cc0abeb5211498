"""What work says of how far it is."""

from datasets.progress import SAY_SECONDS, SpokenProgress, time_left


def test_times_in_words() -> None:
    assert [time_left(seconds) for seconds in (None, 5, 150, 9000)] == [
        "", "less than a minute", "about 2 min", "about 2.5 h",
    ]  # fmt: skip


def test_a_log_is_told_every_minute_with_loss_and_time_left() -> None:
    at, told = [0.0], list[str]()
    show = SpokenProgress(told.append, "fold 1 of 5", now=lambda: at[0])
    for done in range(101, 1001):  # goes on after 100
        at[0] += 1.0
        show(done, 1000, 0.25)
    assert len(told) == 900 // SAY_SECONDS
    assert told[0] == "fold 1 of 5: 160 of 1000, loss 0.2500, about 14 min left"
    assert told[-1] == "fold 1 of 5: 1000 of 1000, loss 0.2500, less than a minute left"


def test_quick_work_says_nothing_and_work_without_a_speed_no_time() -> None:
    at, told = [0.0], list[str]()
    show = SpokenProgress(told.append, "case", now=lambda: at[0])
    for done in range(1, 51):
        at[0] += 1.0
        show(done, 50)
    assert told == []
    at[0] = 0.0
    slow = SpokenProgress(told.append, "case", now=lambda: at[0])
    at[0] = 100.0
    slow(1, 3)
    assert told == ["case: 1 of 3"]
