"""Splits the slices of one series UID into stacks by their header values; stacks are never merged because they fit.

Scanners put two echoes, magnitude and phase, the images of a Dixon measurement or several times under one UID. The
attributes that may differ are tried in a fixed order. Facts that change what an image shows always split; others only
where two slices would otherwise lie at one place. A part that lacks slices which its siblings have is named.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datasets.dicom.header import SliceHeader
from datasets.dicom_series.stack import SLICE_POSITION_TOLERANCE_MM, along_normal, have_positions, same_orientation
from datasets.finding import Finding, Level

ECHO_TIME_TOLERANCE = 0.02
"""Largest relative difference between the echo times of one echo: scanners round the effective echo time slice by
slice, and the echoes of one measurement lie further apart."""

_SMALLEST_STEP = 0.3
"""Times (ms), angles (degrees) and diffusion weightings (s/mm²) that differ by less are the same."""


@dataclass(frozen=True)
class SeriesPart:
    """The slices of one stack, unsorted.

    Args:
        slices: Headers in the order of the files.
        split_by: Attributes by which it differs from its siblings.
        echoes: How many echo times the stack had before it was split.
        times: How many times its slices were taken.
        findings: An error where it lacks slices that its siblings have.
    """

    slices: list[SliceHeader]
    split_by: tuple[str, ...] = ()
    echoes: int = 1
    times: int = 1
    findings: tuple[Finding, ...] = ()


def split_series(headers: list[SliceHeader]) -> list[SeriesPart]:
    """The stacks that the slices of one series UID and patient make up, in the order of their first files.

    Args:
        headers: At least one.
    """
    whole = SeriesPart(headers)
    stacks = [whole]
    for name, keys in (("sop_class", _kinds), ("orientation", _orientations), ("stack", _stacks)):
        stacks = [part for stack in stacks for part in _split(stack, name, keys(stack.slices))]
    order = {id(header): place for place, header in enumerate(headers)}
    parts = [part for stack in stacks for part in _parts_of_stack(stack)]
    return sorted(parts, key=lambda part: order[id(part.slices[0])])


def clusters(values: Iterable[float | None], *, relative: float = 0.0) -> dict[float | None, int]:
    """Number of the cluster that each value belongs to: neighbours that hardly differ are one."""
    found: dict[float | None, int] = {None: -1}
    last, number = -np.inf, -1
    for value in sorted({value for value in values if value is not None}):
        number += value - last > max(_SMALLEST_STEP, relative * abs(value))
        found[value] = number
        last = value
    return found


def _kinds(slices: list[SliceHeader]) -> list[Hashable]:
    return [header.sop_class_uid if header.is_frame else "classic" for header in slices]


def _orientations(slices: list[SliceHeader]) -> list[Hashable]:
    firsts: list[SliceHeader] = []
    keys: list[Hashable] = []
    for header in slices:
        key = next((number for number, first in enumerate(firsts) if same_orientation(first, header)), len(firsts))
        if key == len(firsts):
            firsts.append(header)
        keys.append(key)
    return keys


def _stacks(slices: list[SliceHeader]) -> list[Hashable]:
    return [header.stack for header in slices]


def _numeric(read: Callable[[SliceHeader], float | None], *, relative: float = 0.0) -> "_Fact":
    def keys(slices: list[SliceHeader]) -> list[Hashable]:
        values = [read(header) for header in slices]
        numbers = clusters(values, relative=relative)
        return [numbers[value] for value in values]

    return keys


def _exact(read: Callable[[SliceHeader], Hashable]) -> "_Fact":
    return lambda slices: [read(header) for header in slices]


def _frame_time(header: SliceHeader) -> Hashable:
    """When a PET's frame was taken, of a dynamic series several times at each place."""
    return header.pet and (header.pet.frame_reference_s, header.pet.acquired)


_Fact = Callable[[list[SliceHeader]], list[Hashable]]

_ECHO_TIME = _numeric(lambda header: header.evidence.echo_time_ms, relative=ECHO_TIME_TOLERANCE)

_CONTRAST_FACTS: tuple[tuple[str, _Fact], ...] = (
    ("image_type", _exact(lambda header: header.evidence.image_type)),
    ("echo_time", _ECHO_TIME),
    ("inversion_time", _numeric(lambda header: header.evidence.inversion_time_ms, relative=ECHO_TIME_TOLERANCE)),
    ("b_value", _numeric(lambda header: header.evidence.b_value)),
    ("scan_options", _exact(lambda header: header.evidence.scan_options)),
    ("convolution_kernel", _exact(lambda header: header.evidence.convolution_kernel)),
)
"""Attributes that change the image's contrast: they always split."""

_ACQUISITION_FACTS: tuple[tuple[str, _Fact], ...] = (
    ("repetition_time", _numeric(lambda header: header.evidence.repetition_time_ms, relative=ECHO_TIME_TOLERANCE)),
    ("flip_angle", _numeric(lambda header: header.evidence.flip_angle)),
    ("echo_number", _exact(lambda header: header.evidence.echo_number)),
    ("temporal_position", _exact(lambda header: header.temporal_position)),
    ("acquisition_number", _exact(lambda header: header.evidence.acquisition_number)),
    ("trigger_time", _numeric(lambda header: header.trigger_time_ms)),
    ("frame_time", _exact(_frame_time)),
)
"""These may differ from slice to slice within one stack: they split only where slices lie at one place."""

_TIMES = ("temporal_position", "acquisition_number", "trigger_time", "frame_time")


def _parts_of_stack(stack: SeriesPart) -> list[SeriesPart]:
    parts = [replace(stack, echoes=len(set(_ECHO_TIME(stack.slices))))]
    for name, fact in _CONTRAST_FACTS:
        parts = [piece for part in parts for piece in _split(part, name, fact(part.slices))]
    for name, fact in _ACQUISITION_FACTS:
        parts = [piece for part in parts for piece in _split_crowded(part, name, fact(part.slices))]
    if len(parts) == 1 or not have_positions(stack.slices):
        return parts
    return [replace(part, findings=tuple(_missing_beside(part, parts))) for part in parts]


def _split(part: SeriesPart, name: str, keys: list[Hashable]) -> list[SeriesPart]:
    """The part by key; as it is where all keys are one."""
    pieces: dict[Hashable, list[SliceHeader]] = defaultdict(list)
    for key, header in zip(keys, part.slices, strict=True):
        pieces[key].append(header)
    if len(pieces) == 1:
        return [part]
    times = len(pieces) if name in _TIMES else part.times
    return [replace(part, slices=piece, split_by=(*part.split_by, name), times=times) for piece in pieces.values()]


def _split_crowded(part: SeriesPart, name: str, keys: list[Hashable]) -> list[SeriesPart]:
    """The part by key, where that puts fewer slices at one place and makes no more pieces than lay there."""
    crowd = _most_at_one_place(part.slices)
    if crowd < 2 or len(set(keys)) > crowd:
        return [part]
    pieces = _split(part, name, keys)
    return pieces if max(_most_at_one_place(piece.slices) for piece in pieces) < crowd else [part]


def _most_at_one_place(slices: list[SliceHeader]) -> int:
    if not have_positions(slices):
        return 1
    gaps = np.diff(np.sort(along_normal(slices)))
    most = run = 1
    for gap in gaps.tolist():
        run = run + 1 if gap <= SLICE_POSITION_TOLERANCE_MM else 1
        most = max(most, run)
    return most


def _missing_beside(part: SeriesPart, parts: list[SeriesPart]) -> Iterator[Finding]:
    """An error where the part lacks slices at places where its siblings have one."""
    own = np.sort(along_normal(part.slices))
    normal = part.slices[0].normal
    missing: set[float] = set()
    for sibling in parts:
        if sibling is part:
            continue
        theirs = np.array([header.position for header in sibling.slices], dtype=np.float64) @ normal
        absent = theirs[np.abs(theirs[:, None] - own).min(axis=1) > SLICE_POSITION_TOLERANCE_MM]
        due = absent if 2 * len(theirs) >= len(own) else [place for place in absent if _continues(own, place)]
        missing.update(np.round(due, 1).tolist())
    if missing:
        yield Finding(
            Level.ERROR,
            "series-incomplete",
            f"The series was split by {', '.join(part.split_by)}; this part has {len(own)} slices and lacks "
            f"{len(missing)} that other parts have.",
            "Send the series again from the archive, or choose another part of it.",
        )


def _continues(own: NDArray[np.float64], place: float) -> bool:
    """Whether a slice at `place` would lie an even number of steps from the part's own slices."""
    step = float(np.median(np.diff(own))) if len(own) > 1 else 0.0
    if step <= SLICE_POSITION_TOLERANCE_MM:
        return False
    steps = (place - own[0]) / step
    return bool(abs(steps - round(steps)) * step <= SLICE_POSITION_TOLERANCE_MM)
