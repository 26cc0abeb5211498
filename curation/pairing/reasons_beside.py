"""Reasons for a chosen series over others as good that fit no other image of the patient."""

from collections.abc import Iterator, Sequence

from curation.pairing import together
from curation.pairing.candidates import Candidate
from curation.pairing.series_choice import spoken
from curation.pairing.together import COVERED, LEAST_OVERLAP, UNCOVERED
from curation.series.judgement import Reason
from curation.series.ranking import JudgedSeries
from datasets.image.overlap import overlap

HAS_PARTNER = 8
"""Points of a series that has its partners, where others as good have none: in another study, elsewhere in the body, or
with too few of a partner's slices."""


def only_together(
    chosen: Candidate, partners: Sequence[Candidate], rivals: Sequence[JudgedSeries], roles: Sequence[str]
) -> Iterator[Reason]:
    """Why a series was chosen over others as good.

    Args:
        chosen: The series.
        partners: Those chosen for the roles that it had to fit.
        rivals: Other sound series that fit its role.
        roles: The roles that had to be filled.
    """
    if chosen.is_by_person or not partners:
        return
    is_one_visit = all(together.is_one_study((chosen, partner)) for partner in partners)
    if is_one_visit and any(one.series.study_key != chosen.series.study_key for one in rivals):
        yield Reason(HAS_PARTNER, f"of the one study with {_each(roles)}")
    here = [one.series for one in rivals if one.series.study_key == chosen.series.study_key]
    for partner in partners:
        near = [one for one in here if together.share_a_frame(one, partner.series)]
        if any(overlap(one.grid, partner.grid) < LEAST_OVERLAP for one in near):
            yield Reason(HAS_PARTNER, "shows the same part of the body as its partner")
            return
        is_covered = together.covered(chosen.series, partner.series) >= COVERED
        if is_covered and any(together.covered(one, partner.series) < UNCOVERED for one in near):
            yield Reason(HAS_PARTNER, "covers its partner's slices")
            return


def _each(roles: Sequence[str]) -> str:
    named = [f"a {spoken(role)}" for role in roles]
    return " and ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]
