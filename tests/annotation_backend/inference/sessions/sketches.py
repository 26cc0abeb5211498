"""Small states of a session, and requests to it, as values."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from annotation_backend.inference.sessions.requests import Asked, CurrentMask
from annotation_backend.inference.sessions.smart_prompts import SessionCommand, SmartPrompt
from annotation_backend.inference.sessions.state import GivenPrompt, SliceMask
from annotation_backend.registry.models import PromptKind
from datasets.image.mask import Inside
from datasets.image.packed_mask import packed
from training.prompts.prompt import Click, Prompts

SHAPE = (20, 24)
NOTHING = np.zeros(SHAPE, dtype=bool)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LATER, EARLIER = NOON + timedelta(seconds=5), NOON - timedelta(seconds=5)


def disc(radius: int) -> Inside:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.asarray((rows - 10) ** 2 + (columns - 12) ** 2 <= radius**2)


def at(x: float) -> Prompts:
    return Prompts(clicks=(Click((x, 0.0, 0.0), positive=True),))


def click(name: str, x: float = 0.0, *, index: int = 2, before: Inside = NOTHING, number: int = 1) -> GivenPrompt:
    bits = packed(before) if before.any() else b""
    return GivenPrompt(name, PromptKind.POINT, index, at(x), number=number, batch=number, before=bits)


def order(command: SessionCommand, *, number: int = 9) -> GivenPrompt:
    return GivenPrompt(f"command {number}", command, 0, Prompts(), number=number, batch=number)


def answer(radius: int, *, is_answered: bool = True) -> SliceMask:
    return SliceMask(packed(disc(radius)), is_answered, 1, NOON)


def asked(
    pending: Sequence[SmartPrompt], *, mask: Inside = NOTHING, saved: datetime | None = None, number: int = 7
) -> Asked:
    return Asked(number, 2, pending, CurrentMask(mask, saved), LATER)


def sent(name: str, x: float = 0.0) -> SmartPrompt:
    return SmartPrompt(name, PromptKind.POINT, at(x))
