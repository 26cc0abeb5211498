"""How sure a model is: the entropy of what its networks say of copies of one image. Imports torch.

The networks of an ensemble and the turned copies of an image each have an opinion of every voxel. The uncertainty of a
voxel is the entropy, in bits, of their mean probability: 0 where all are sure of the same, 1 where they say one half
or contradict each other. That of a case is its mean over the voxels that at least one of them takes for tumour, so that
the air around a patient does not make every case look sure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

NOBODY_DREW = 1.0
"""The uncertainty of a case of which no opinion holds a single voxel: an empty answer is looked at first."""


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How unsure a model is of a case.

    Args:
        entropy: float32 in 0..1 (bits), of every voxel.
        of_case: Mean entropy of the voxels that at least one opinion takes for tumour; 1 if there is none.
    """

    entropy: NDArray[np.float32]
    of_case: float


def joined(opinions: Iterable[NDArray[np.float32]], *, with_spread: bool) -> NDArray[np.float32]:
    """Opinions of the same pictures in one array, whose fields may be resized and blended before they are read.

    Args:
        opinions: Logits, one array an opinion; at least one.
        with_spread: Whether the fields of the uncertainty are needed.

    Returns:
        float32 (1, …), the mean logit; with the spread (3, …): the mean logit, the mean probability, the highest logit.
    """
    rest = iter(opinions)
    total: NDArray[np.float32] = np.stack(_fields(next(rest), with_spread))
    count = 1
    for logits in rest:
        count += 1
        total[0] += logits
        if with_spread:
            total[1] += _probability(logits)
            np.maximum(total[2], logits, out=total[2])
    total[:2] /= np.float32(count)
    return total


def together(said: Sequence[tuple[NDArray[np.float32], int]]) -> NDArray[np.float32]:
    """Fields of `joined` from several sets of opinions of the same voxels, each with how many opinions it counts as."""
    if len(said) == 1:
        return said[0][0]
    total = np.sum([fields * np.float32(count) for fields, count in said], axis=0)
    total /= np.float32(sum(count for _, count in said))
    if len(total) == 3:
        total[2] = np.max([fields[2] for fields, _ in said], axis=0)
    found: NDArray[np.float32] = total
    return found


def uncertainty_of(fields: NDArray[np.float32]) -> Uncertainty:
    """The uncertainty that fields with the spread (3, …), in the image's own voxels, hold."""
    probability = np.clip(fields[1].astype(np.float64), 0.0, 1.0)
    known = (probability > 0.0) & (probability < 1.0)
    safe = np.where(known, probability, 0.5)
    entropy = np.where(known, -safe * np.log2(safe) - (1.0 - safe) * np.log2(1.0 - safe), 0.0).astype(np.float32)
    candidates = fields[2] > 0.0
    return Uncertainty(entropy, float(entropy[candidates].mean()) if candidates.any() else NOBODY_DREW)


def _fields(logits: NDArray[np.float32], with_spread: bool) -> list[NDArray[np.float32]]:
    return [logits, _probability(logits), logits] if with_spread else [logits]


def _probability(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = torch.from_numpy(np.ascontiguousarray(logits)).sigmoid().numpy()
    return found
