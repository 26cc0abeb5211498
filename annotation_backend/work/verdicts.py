"""Verdicts on several cases at once: of cases that the reviewer has opened, each as it was shown to them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.timezone import now

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask
from annotation_backend.labeling.versions.standing import standings
from annotation_backend.review.models import Review, Verdict, latest_reviews
from annotation_backend.review.queue_order import under_review
from annotation_backend.review.services import decide
from annotation_backend.studies.models import Study
from annotation_backend.work.models import Opening
from datasets.errors import RejectedInput
from datasets.study.case import QualityScore

MOST_TOGETHER = 100
"""Opened cases on the page, the newest; as many verdicts are given at once."""


@dataclass(frozen=True)
class BulkVerdict:
    """What is said of several cases.

    Args:
        verdict: Approve or return.
        quality_score: Of each.
        comment: Needed where they are returned.
        accepts_unannotated: Slices that nobody submitted hold no tumour, in each of them.
    """

    verdict: Verdict
    quality_score: QualityScore
    comment: str = ""
    accepts_unannotated: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one case: its verdict, or why there is none."""

    code: str
    review: Review | None
    refusal: str = ""


def note_opening(person: User, mask: CaseMask, seen_sha256: str) -> Opening:
    """Keeps that a person was shown a case's review page, with the digest of its content; the newest look counts."""
    shown = {"mask": mask, "seen_sha256": seen_sha256, "opened_at": now()}
    return Opening.objects.update_or_create(person=person, case_id=mask.case_id, defaults=shown)[0]


def opened_cases(study: Study, person: User) -> list[Opening]:
    """A person's newest openings of cases that are as they were shown and wait for a verdict; a few queries."""
    cases = Case.objects.in_use().filter(study=study)
    rows = Opening.objects.filter(person=person, case__in=cases).select_related("case__study", "mask")
    found = list(rows[:MOST_TOGETHER])
    cases_found = [one.case for one in found]
    now_counting, latest, open_rows = standings(cases_found), latest_reviews(cases_found), under_review(cases_found)
    theirs = Review.objects.filter(mask__in=[one.mask_id for one in found], reviewer=person, end__isnull=True)
    given = set(theirs.values_list("mask", "row"))
    waiting = []
    for one in found:
        review = latest.get(one.case_id)
        is_decided = review is not None and review.holds_on(one.mask)
        if one.case_id in open_rows:  # others' are waited for, or those of another stage
            is_decided = (one.mask_id, open_rows[one.case_id]) in given
        if now_counting[one.case_id].mask == one.mask and not is_decided:
            waiting.append(one)
    return sorted(waiting, key=lambda one: one.case.code)


def decide_together(study: Study, person: User, codes: Sequence[str], said: BulkVerdict) -> list[Outcome]:
    """Gives one verdict on each of several cases, each by itself: one that is refused keeps no other from its verdict.

    Args:
        study: The study that they are of.
        person: The reviewer.
        codes: Of the cases.
        said: The verdict.

    Raises:
        RejectedInput: No case was chosen (``cases-none``), or too many (``cases-many``).
    """
    wanted = list(dict.fromkeys(codes))
    if not wanted:
        raise RejectedInput("cases-none", "No case was chosen.", remedy="Tick the cases that the verdict is about.")
    if len(wanted) > MOST_TOGETHER:
        raise RejectedInput(
            "cases-many", f"Expected up to {MOST_TOGETHER} cases, got {len(wanted)}.", remedy="Choose fewer."
        )
    rows = Opening.objects.filter(person=person, case__study=study, case__code__in=wanted)
    opened = {one.case.code: one for one in rows.select_related("case", "mask__case__study")}
    return [_decided(code, opened.get(code), person, said) for code in wanted]


def _decided(code: str, opening: Opening | None, person: User, said: BulkVerdict) -> Outcome:
    if opening is None:
        return Outcome(code, None, "You have not opened this case. Open it and look at it. [case-unopened]")
    try:
        review = decide(
            opening.mask,
            person,
            verdict=said.verdict,
            quality_score=said.quality_score,
            comment=said.comment,
            accepts_unannotated=said.accepts_unannotated,
            seen_sha256=opening.seen_sha256,
        )
    except RejectedInput as error:
        return Outcome(code, None, str(error))
    return Outcome(code, review)
