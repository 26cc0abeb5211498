"""What TensorBoard shows of a fit: loss, rate, Dice of set-aside cases, pictures with outlines. Imports torch."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from training.fitting.running.running import Learned

_PICTURES = 4
_TRUTH, _DRAWN = (0.2, 0.9, 0.3), (1.0, 0.55, 0.1)
"""Colours of the approved mask's outline and of the drawn one's."""


class Board:
    """A run folder of TensorBoard.

    Args:
        folder: Of the run; None for no board.
        done: Iterations that are done already; what was written of later ones is hidden.

    Raises:
        RejectedInput: TensorBoard is not installed (``tensorboard-missing``).
    """

    def __init__(self, folder: Path | None, *, done: int = 0) -> None:
        self._writer: Any = None
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise RejectedInput(
                "tensorboard-missing",
                "TensorBoard is not installed.",
                remedy="Install it with `pip install 'maskloop[board]'`, or leave --tensorboard out.",
            ) from error
        self._writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None)

    def tell(self, done: int, *, loss: float, rate: float) -> None:
        """Loss and learning rate of an iteration."""
        if self._writer is not None:
            self._writer.add_scalar("loss", loss, done)
            self._writer.add_scalar("learning rate", rate, done)

    def tell_set_aside(self, done: int, *, loss: float, dice: float) -> None:
        """Loss and Dice of set-aside cases."""
        if self._writer is not None:
            self._writer.add_scalar("set aside/loss", loss, done)
            if np.isfinite(dice):
                self._writer.add_scalar("set aside/Dice", dice, done)

    def show(self, done: int, name: str, learned: Learned | None) -> None:
        """Pictures of what a network was shown, with the outlines of both masks."""
        if self._writer is not None and learned is not None:
            self._writer.add_image(name, outlined(learned), done, dataformats="HWC")

    def close(self) -> None:
        """Writes what is not written yet."""
        if self._writer is not None:
            self._writer.close()


def outlined(learned: Learned) -> NDArray[np.float32]:
    """The first examples of a batch side by side: the first channel, on the slice where most of the target lies.

    Returns:
        float32 (rows, columns, 3) in 0..1; the approved mask's outline is green, the drawn one's orange.
    """
    arrays = (learned.images, learned.target, torch.sigmoid(learned.logits.float()))
    images, targets, drawn = (each.detach().float().cpu().numpy()[:_PICTURES] for each in arrays)
    return np.concatenate([_picture(*each) for each in zip(images, targets, drawn, strict=True)], axis=1)


def _picture(image: NDArray[Any], target: NDArray[Any], drawn: NDArray[Any]) -> NDArray[np.float32]:
    grey, truth, inside = image[0], target[0] > 0.5, drawn[0] > 0.5
    if grey.ndim == 3:
        at = int(truth.sum(axis=(0, 1)).argmax())
        grey, truth, inside = grey[..., at], truth[..., at], inside[..., at]
    low, high = np.percentile(grey, (1.0, 99.0))
    shown = np.clip((grey - low) / max(high - low, 1e-6), 0.0, 1.0)
    picture = np.repeat(shown[..., None], 3, axis=2).astype(np.float32)
    for mask, colour in ((truth, _TRUTH), (inside, _DRAWN)):
        picture[_edge(mask)] = colour
    return picture


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a mask beside one outside it."""
    from scipy.ndimage import binary_erosion

    edge: NDArray[np.bool_] = mask & ~binary_erosion(mask)
    return edge
