"""What TensorBoard is given: numbers at their iterations, and pictures with both outlines."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.support import fit_child
from training.fitting.running.board import Board, outlined
from training.fitting.running.running import Learned, Running
from training.fitting.volumes import fit_volumes

pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install 'maskloop[board]'")


def learned() -> Learned:
    """A bright square of 4 on the fullest of three slices, drawn one pixel further right."""
    target = torch.zeros(2, 1, 8, 8, 3)
    target[:, :, 2:6, 2:6, 1] = 1.0
    target[:, :, 2, 2, 0] = 1.0
    logits = target.roll(1, dims=3) * 2 - 1
    return Learned(torch.tensor(0.25), target * 3.0, logits, target)


def test_outlines_lie_where_the_masks_do() -> None:
    picture = outlined(learned())
    assert picture.shape == (8, 16, 3)
    assert 0.0 <= picture.min() <= picture.max() <= 1.0
    np.testing.assert_array_equal(picture[:, :8], picture[:, 8:])
    coloured = picture.std(axis=2)[:, :8] > 0.01
    # The drawn outline hides the approved one but for the column on its left.
    expected = np.zeros((8, 8), bool)
    expected[2:6, 2:7] = True
    expected[3:5, 4] = False
    assert picture[3, 2, 1] > picture[3, 2, 0], "the approved mask's left edge is green"
    assert picture[3, 6, 0] > picture[3, 6, 2], "the drawn one's right edge is orange"
    np.testing.assert_array_equal(coloured, expected)


@pytest.mark.slow
def test_a_fit_writes_its_numbers_and_pictures(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    examples = [fit_child.ball_example(number, shape=(18, 16, 9)) for number in range(3)]
    settings = fit_child.settings(iterations=25)
    running = Running(board=tmp_path / "board", aside=examples[2:])
    losses = fit_volumes(examples[:2], settings, running=running)[2]
    told = EventAccumulator(str(tmp_path / "board"), size_guidance={"scalars": 0, "images": 0})
    told.Reload()
    np.testing.assert_allclose([event.value for event in told.Scalars("loss")], losses, rtol=1e-5)
    assert [event.step for event in told.Scalars("loss")] == list(range(1, 26))
    assert told.Scalars("learning rate")[0].value == pytest.approx(1e-2)
    [dice] = told.Scalars("set aside/Dice")
    assert dice.step == 25
    assert 0.0 <= dice.value <= 1.0
    assert {"learned", "set aside"} <= set(told.Tags()["images"])


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    board = Board(None)
    board.tell(1, loss=1.0, rate=0.1)
    board.show(1, "learned", learned())
    board.close()
    assert list(tmp_path.iterdir()) == []
