"""Whether a registration may be trusted: a battery of checks, each with its own measure, and the verdict of them all.

No check knows the true motion. Each looks at a pair from another side: outlines, grey values, edges, the motion itself,
rival motions, and the field of view lost. The limits were set on pairs of 34 sarcomas' real anatomy, with known
motions, other patients' T1s, mirrored T1s and cropped ones; the figures are beside each limit.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np

from curation.registration.motion_search import ChosenMotion
from curation.registration.similarity import (
    Contrast,
    compare,
    contrast_with_nearby,
    edges_against_elsewhere,
    rotation_degrees,
    scales,
)
from datasets.image.resample import resample_volume
from datasets.image.volume import Volume

CHECKED_AT_MM = 2.0
"""Resolution at which agreement is measured: edges of muscles and fat planes are there, most noise is not."""

PLACE_CHECKED_AT_MM = 4.0
"""Resolution at which other places are tried for an image placed by its headers: a PET shows no finer edges."""


class Verdict(StrEnum):
    """The verdict of a registration: accept it, look at it, or reject it."""

    ACCEPT = "accept"
    LOOK = "look"
    REJECT = "reject"


@dataclass(frozen=True)
class Limits:
    """The limits beyond which a value is doubted or rejected.

    Args:
        look: A person should look from here on.
        reject: It is wrong from here on; None where this measure alone never refuses.
        at_least: Whether values below the limits are bad (otherwise values above them).
    """

    look: float
    reject: float | None
    at_least: bool

    def verdict(self, value: float) -> Verdict:
        """The verdict on a value; NaN is rejected."""
        if not np.isfinite(value):
            return Verdict.REJECT
        if self.reject is not None and (value < self.reject if self.at_least else value > self.reject):
            return Verdict.REJECT
        return Verdict.LOOK if (value < self.look if self.at_least else value > self.look) else Verdict.ACCEPT


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Args:
        code: Stable identifier in kebab-case.
        value: The measured value.
        limit: The limit beyond which it is doubted.
        verdict: The verdict on it.
        message: The measure and its meaning, in one sentence.
    """

    code: str
    value: float
    limit: float
    verdict: Verdict
    message: str


@dataclass(frozen=True)
class RegistrationQuality:
    """The checks of one registration.

    Args:
        checks: One result a check, in the battery's order.
    """

    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the checks' verdicts."""
        found = {check.verdict for check in self.checks}
        return next((one for one in (Verdict.REJECT, Verdict.LOOK) if one in found), Verdict.ACCEPT)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        checks = [asdict(check) | {"verdict": check.verdict.value} for check in self.checks]
        return {"verdict": self.verdict.value, "checks": checks}


def check_registration(chosen: ChosenMotion) -> RegistrationQuality:
    """Runs the battery of checks on the motion that was chosen."""
    evidence = _Evidence(chosen)
    return RegistrationQuality(tuple(_checked(evidence, *check) for check in _BATTERY))


def check_placement(chosen: ChosenMotion) -> RegistrationQuality:
    """Runs the checks of an image that was placed by its headers: no motion was searched that could be doubted."""
    evidence = _Evidence(chosen)
    return RegistrationQuality(tuple(_checked(evidence, *check) for check in _PLACED))


class _Evidence:
    """The values that the checks measure, each computed once."""

    def __init__(self, chosen: ChosenMotion) -> None:
        self.chosen, self.images = chosen, chosen.images
        self.moving, self.fixed = chosen.images.at(CHECKED_AT_MM)

    @cached_property
    def contrast(self) -> Contrast:
        """Agreement here against that of motions nearby."""
        return contrast_with_nearby(self.moving, self.fixed, self.chosen.transform)

    def body_overlap(self) -> float:
        """Dice of the two bodies where both fields of view reach."""
        body = Volume(self.moving.body.astype(np.float32), self.moving.volume.grid)
        moved = resample_volume(body, self.fixed.volume.grid, transform=self.chosen.transform, outside=np.nan)
        seen = np.isfinite(np.asarray(moved.data))
        ours, theirs = np.asarray(moved.data)[seen] >= 0.5, self.fixed.body[seen]
        total = np.count_nonzero(ours) + np.count_nonzero(theirs)
        return 2.0 * np.count_nonzero(ours & theirs) / total if total else 0.0

    def information_gained(self) -> float:
        """Nats of mutual information, after less before."""
        return self.chosen.after.mutual_information - self.chosen.before.mutual_information

    def shift(self) -> float:
        """Mean millimetres that the body was moved."""
        return self.chosen.images.distance_mm(self.chosen.transform, np.eye(4))

    def stretch(self) -> float:
        """Largest share by which the body was stretched or squeezed."""
        return max(abs(scale - 1.0) for scale in scales(self.chosen.transform))

    def least_volume(self) -> float:
        """The share of a volume that the deformation leaves where it squeezes most; 1 without one."""
        deformation = self.chosen.deformation
        return 1.0 if deformation is None else deformation.smallest_volume_change

    def edges_against_elsewhere(self) -> float:
        """Agreement of the edges here over that of the best place some centimetres away."""
        return edges_against_elsewhere(*self.images.at(PLACE_CHECKED_AT_MM))

    def rival(self) -> float:
        """How convincing the best motion that another start found elsewhere is, beside the one that was kept."""
        if self.chosen.rival is None:
            return 0.0
        transforms = self.chosen.transform, self.chosen.rival
        kept, other = (compare(self.moving, self.fixed, transform) for transform in transforms)
        return other.edge_agreement * other.overlap / max(kept.edge_agreement * kept.overlap, 1e-9)


def _checked(
    evidence: _Evidence, code: str, limits: Limits, message: str, measure: Callable[[_Evidence], float]
) -> Check:
    value, moving, fixed = float(measure(evidence)), evidence.images.moving, evidence.images.fixed
    return Check(
        code,
        round(value, 6),
        limits.look,
        limits.verdict(value),
        message.format(value, moving=moving.title, fixed=fixed.title),
    )


_BATTERY: tuple[tuple[str, Limits, str, Callable[[_Evidence], float]], ...] = (
    (
        "body-overlap",
        Limits(look=0.7, reject=0.4, at_least=True),  # right: 0.81 to 1.0; other patients: 0.53 to 0.92
        "The outlines of the body agree to a Dice of {:.2f} where both images reach.",
        _Evidence.body_overlap,
    ),
    (
        "information-gained",
        Limits(look=-0.01, reject=None, at_least=True),
        "Mutual information changed by {:+.3f} nats against the scanner's own alignment.",
        _Evidence.information_gained,
    ),
    (
        "information-contrast",
        Limits(look=1.3, reject=1.05, at_least=True),  # right: 1.9 to 6.4; other patients: 0.97 to 1.17
        "Mutual information is {:.2f} times that of motions a centimetre or twelve degrees away.",
        lambda evidence: evidence.contrast.information,
    ),
    (
        "edge-contrast",
        Limits(look=1.25, reject=1.08, at_least=True),  # right: 1.5 to 2.0; other patients 0.97 to 1.06, legs to 1.2
        "The edges agree {:.2f} times as well as under motions a centimetre or twelve degrees away.",
        lambda evidence: evidence.contrast.edges,
    ),
    (
        "shift",
        Limits(look=40.0, reject=200.0, at_least=False),
        "The body was moved by {:.1f} mm; within one examination patients move less than 40 mm.",
        _Evidence.shift,
    ),
    (
        "rotation",
        Limits(look=20.0, reject=60.0, at_least=False),
        "The body was turned by {:.1f} degrees; within one examination patients turn less than 20.",
        lambda evidence: rotation_degrees(evidence.chosen.transform),
    ),
    (
        "stretch",
        Limits(look=0.08, reject=0.2, at_least=False),  # right: up to 0.07 where 5 % and shear were true
        "The body was stretched or squeezed by up to {:.1%}.",
        _Evidence.stretch,
    ),
    (
        "folding",
        Limits(look=0.1, reject=0.0, at_least=True),
        "The deformation leaves at least {:.2f} of a volume where it squeezes most; at 0 it folds.",
        _Evidence.least_volume,
    ),
    (
        "two-starts",
        Limits(look=0.95, reject=None, at_least=False),
        "The best motion that another start found elsewhere is {:.0%} as convincing as the one that was kept.",
        _Evidence.rival,
    ),
    (
        "field-of-view",
        Limits(look=0.7, reject=0.2, at_least=True),  # right: 0.94 to 1.0
        "{moving} shows {:.0%} of the body that {fixed} shows.",
        lambda evidence: evidence.chosen.after.overlap,
    ),
)


_PLACED: tuple[tuple[str, Limits, str, Callable[[_Evidence], float]], ...] = (
    (
        "body-overlap",
        Limits(look=0.8, reject=0.4, at_least=True),  # 16 real PET-CT: 0.88 to 0.98; moved by 60 mm: 0.51 to 0.94
        "The outlines of the body agree to a Dice of {:.2f} where both images reach.",
        _Evidence.body_overlap,
    ),
    (
        "field-of-view",
        Limits(look=0.7, reject=0.2, at_least=True),  # 16 real PET-CT: 0.97 to 1.0
        "{moving} shows {:.0%} of the body that {fixed} shows.",
        lambda evidence: evidence.chosen.after.overlap,
    ),
    (
        "edges-elsewhere",
        Limits(look=0.85, reject=None, at_least=True),  # 16 real PET-CT: 0.99 to 1.23; moved by 60 mm: 0.26 to 0.70
        "The edges agree {:.2f} times as well as at the best of thirty places 15 to 80 mm away.",
        _Evidence.edges_against_elsewhere,
    ),
    (
        "frame-of-reference",
        Limits(look=1.0, reject=None, at_least=True),
        "One scanner's coordinates may hold for {moving} and {fixed} (1), unless their frames of reference differ (0).",
        lambda evidence: float(not evidence.images.have_other_frames),
    ),
)


def lower_limits() -> frozenset[str]:
    """Codes of the checks with a lower limit; the others have an upper one."""
    return frozenset(code for code, limits, _, _ in (*_BATTERY, *_PLACED) if limits.at_least)
