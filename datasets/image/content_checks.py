"""Plausibility checks of a volume's voxels and a mask's labels, each giving findings.

An error means that the volume or mask must not be used, a warning that a person should look.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from datasets.finding import Finding, Level
from datasets.image.mask import Mask
from datasets.image.volume import Volume

MOST_NOT_FINITE = 0.5
"""Largest share of voxels that may be no finite numbers, as outside a resampled or masked field of view."""

_Thing = TypeVar("_Thing")

_EXPORT = "Export the volume again, and look at it in a viewer."


def check_volume(volume: Volume) -> tuple[Finding, ...]:
    """Checks a volume's voxels.

    Returns:
        Errors ``volume-all-nan``, ``volume-all-zero`` or ``volume-constant``, or ``volume-not-finite`` (an error where
        more than half of the voxels are no numbers, else a warning).
    """
    return _until_error(volume, _VOLUME_CHECKS)


def check_mask(mask: Mask) -> tuple[Finding, ...]:
    """Checks a mask by itself.

    Returns:
        Warnings ``mask-labels`` (values that have no name), ``mask-empty`` and ``mask-at-border``.
    """
    return _until_error(mask, _MASK_CHECKS)


def _not_numbers(volume: Volume) -> Iterator[Finding]:
    values = np.asarray(volume.data)
    share = 1.0 - np.count_nonzero(np.isfinite(values)) / values.size
    if share == 1.0:
        yield _error("volume-all-nan", "None of the voxels is a number.")
    elif share > 0:
        level = Level.ERROR if share > MOST_NOT_FINITE else Level.WARNING
        message = f"{share:.2%} of the voxels are no numbers (NaN or infinite)."
        yield Finding(level, "volume-not-finite", message, _EXPORT)


def _constant(volume: Volume) -> Iterator[Finding]:
    values = np.asarray(volume.data)
    finite = values if np.isfinite(values).all() else values[np.isfinite(values)]
    if finite.size and finite.min() == finite.max():
        if finite.flat[0] == 0:
            yield _error("volume-all-zero", "All voxels are zero.")
        else:
            yield _error("volume-constant", "All voxels have the same value.")


def _unnamed_labels(mask: Mask) -> Iterator[Finding]:
    present = np.flatnonzero(np.bincount(mask.data.ravel(), minlength=256))
    unnamed = [int(value) for value in present if value and value not in mask.labels]
    if unnamed:
        message = f"Expected labels {sorted(mask.labels)} in the mask, got {unnamed} as well."
        yield Finding(Level.WARNING, "mask-labels", message, "Check what the other labels mean.")


def _empty(mask: Mask) -> Iterator[Finding]:
    if not mask.foreground.any():
        yield Finding(Level.WARNING, "mask-empty", "The mask is empty.", "Draw it, or leave it out.")


def _at_border(mask: Mask) -> Iterator[Finding]:
    """A region that ends at the edge of the field of view; in a single slice every voxel lies at the edge."""
    foreground = mask.foreground
    touched = [
        axis for axis, size in enumerate(foreground.shape)
        if size > 1 and (foreground.take(0, axis).any() or foreground.take(-1, axis).any())
    ]  # fmt: skip
    if touched:
        message = f"The mask touches the border of the field of view along axes {touched}."
        yield Finding(Level.WARNING, "mask-at-border", message, "Check that the whole tumour was imaged.")


def _error(code: str, message: str) -> Finding:
    return Finding(Level.ERROR, code, message, _EXPORT)


def _until_error(thing: _Thing, checks: tuple[Callable[[_Thing], Iterator[Finding]], ...]) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    for check in checks:
        findings += check(thing)
        if any(finding.level is Level.ERROR for finding in findings):
            break
    return tuple(findings)


_VOLUME_CHECKS: tuple[Callable[[Volume], Iterator[Finding]], ...] = (_not_numbers, _constant)
_MASK_CHECKS: tuple[Callable[[Mask], Iterator[Finding]], ...] = (_unnamed_labels, _empty, _at_border)
