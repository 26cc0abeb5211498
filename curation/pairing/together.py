"""Whether two candidates belong together: of one visit, one place of the body, with the same slices."""

from curation.pairing.body_places import other_region, other_side
from curation.pairing.candidates import Candidate
from curation.scanning.found_series import FoundSeries
from datasets.image.overlap import overlap, share_of_slices

LEAST_OVERLAP = 0.5
"""Two images of one frame of reference must show the same part of the body: at least this share of the smaller one.
The stations of a long limb share some slices, a fifth at most."""

COVERED = 0.8
UNCOVERED = 0.5
"""Two images each of which covers so many of the other's slices set aside two of which one covers fewer than half: a
stack through a part of the tumour is no partner where there is one through all of it."""

Two = tuple[Candidate, Candidate]


def is_one_study(pair: Two) -> bool:
    """Whether both are of one study."""
    return pair[0].series.study_key == pair[1].series.study_key


def is_one_day(pair: Two) -> bool:
    """Whether two studies are one visit that was filed twice."""
    frames = {candidate.series.frame_of_reference for candidate in pair}
    days = {candidate.series.acquired and candidate.series.acquired.date() for candidate in pair}
    return (len(frames) == 1 and "" not in frames) or (len(days) == 1 and None not in days)


def is_elsewhere(pair: Two) -> bool:
    """Whether the headers name two sides, or two regions where there is no common frame of reference."""
    one, other = (candidate.series for candidate in pair)
    is_other = not share_a_frame(one, other) and other_region(one.evidence, other.evidence)
    return is_other or other_side(one.evidence, other.evidence)


def shared_part(pair: Two) -> float:
    """The share of the body that both show; 1 where they have no coordinates in common.

    Positions of one study are compared where no frame of reference is given.
    """
    one, other = (candidate.series for candidate in pair)
    is_comparable = share_a_frame(one, other) or (is_one_study(pair) and _are_without_frame(one, other))
    return overlap(pair[0].grid, pair[1].grid) if is_comparable else 1.0


def is_placed_by_headers(pair: Two) -> bool:
    """Whether the scanner's coordinates say where one lies on the other.

    DICOM needs a common frame of reference; volume files have their scanner's coordinates or none, and must overlap.
    """
    one, other = (candidate.series for candidate in pair)
    if one.dicom is None and other.dicom is None:
        return overlap(pair[0].grid, pair[1].grid) >= LEAST_OVERLAP
    return share_a_frame(one, other)


def have_other_frames(one: FoundSeries, other: FoundSeries) -> bool:
    """Whether both have a frame of reference, and not the same."""
    frames = {one.frame_of_reference, other.frame_of_reference}
    return len(frames) == 2 and "" not in frames


def covered(one: FoundSeries, other: FoundSeries) -> float:
    """The smaller share of either series' slices that the other covers; 1 where that is unknown."""
    if not share_a_frame(one, other):
        return 1.0
    return min(share_of_slices(one.grid, other.grid), share_of_slices(other.grid, one.grid))


def share_a_frame(one: FoundSeries, other: FoundSeries) -> bool:
    """Whether both have the same frame of reference."""
    return bool(one.frame_of_reference) and one.frame_of_reference == other.frame_of_reference


def _are_without_frame(one: FoundSeries, other: FoundSeries) -> bool:
    """Whether both are DICOM and at least one gives no frame of reference."""
    return bool(one.dicom and other.dicom) and not (one.frame_of_reference and other.frame_of_reference)
