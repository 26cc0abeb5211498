"""Portions of an iteration's batch: which examples are drawn here, so that batches can be split without a difference.

Every example of a batch has a random generator of its own, seeded from the iteration's. Whoever draws a portion of the
batch, one of several processes or one of several turns, draws exactly the examples that the whole batch has there.
"""

from collections.abc import Sequence

import numpy as np


class Portion(np.random.Generator):
    """The random choices of an iteration; the same for all portions, but for those of single examples.

    Args:
        seed: Of the iteration.
        own: The examples that are drawn here, by their numbers in the batch.
        total: Examples of the whole batch.
    """

    def __init__(self, seed: Sequence[int], own: range, total: int) -> None:
        super().__init__(np.random.PCG64(list(seed)))
        self.own = own
        self.total = total


def each_random(random: np.random.Generator, size: int) -> list[np.random.Generator]:
    """A generator for each example that is drawn here.

    Args:
        random: Of the iteration; where it is no `Portion`, the whole batch is drawn.
        size: Examples of the whole batch where it is not split.
    """
    own, total = (random.own, random.total) if isinstance(random, Portion) else (range(size), size)
    seeds = random.integers(2**63, size=total)
    return [np.random.default_rng(int(seeds[number])) for number in own]


def portions(batch: int, *, accumulate: int, number: int, count: int) -> list[range]:
    """The portions that one process draws, one after the other.

    Args:
        batch: Examples that a network sees at once.
        accumulate: Batches whose gradients are added up before a step.
        number: Of the process, from 0.
        count: Processes.

    Returns:
        Numbers of examples of the whole batch (`batch` * `accumulate`), at most `batch` in each portion; empty where
        there are more processes than examples.
    """
    total = batch * accumulate
    first, last = total * number // count, total * (number + 1) // count
    return [range(start, min(start + batch, last)) for start in range(first, last, batch)]
