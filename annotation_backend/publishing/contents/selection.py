"""Which approved cases of a study go into a release: all of them, or those that a query asks for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from annotation_backend.cases.models import Case, Withdrawal
from annotation_backend.review.approvals import approved_reviews, why_not_counted
from annotation_backend.review.models import Review
from annotation_backend.stages.models import CaseStage, StageState
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.study.case import Consent, QualityScore
from datasets.study.protocol import UNKNOWN_TISSUE

_SHOWN = 20


@dataclass(frozen=True)
class CaseSelection:
    """What is asked of the cases of a release; what is empty asks nothing.

    Args:
        stages: Names of stages of the protocol, each of which a case must have passed.
        tissue_types: A case is of one of them.
        scores: The score of a case's mask is one of them.
        cases: Codes of cases; each must be approved and must be all else that is asked.
        needs_consent: Whether the patient's consent must be recorded. Where it was refused, a case is left out always.
    """

    stages: tuple[str, ...] = ()
    tissue_types: tuple[str, ...] = ()
    scores: tuple[QualityScore, ...] = ()
    cases: tuple[str, ...] = ()
    needs_consent: bool = False


EVERYTHING = CaseSelection()
"""All approved cases."""


@dataclass(frozen=True)
class Selected:
    """The approving reviews of the cases that go in, and findings about those that consent keeps out."""

    reviews: Sequence[Review]
    findings: tuple[Finding, ...]


def select(study: Study, selection: CaseSelection = EVERYTHING) -> Selected:
    """The approved cases of a study that a release asks for.

    Raises:
        RejectedInput: The protocol knows no such stage or tissue type (``stage-unknown``, ``tissue-type-unknown``),
            a case that is named is none of the study's, is not approved, or is not what else is asked
            (``case-unknown``, ``case-not-approved``, ``case-not-selected``), no case is approved
            (``nothing-approved``), or none is left (``nothing-selected``).
    """
    _require_known(study, selection)
    _require_approved(study, selection)
    reviews = approved_reviews(study=study)
    if not reviews:
        raise RejectedInput(
            "nothing-approved",
            "No case is approved, and releases hold approved cases only.",
            remedy="Have a radiologist approve a case on the review page.",
        )
    asked = [review for review in reviews if _is_asked(review, selection)]
    _require_selected([review.mask.case.code for review in asked], selection)
    findings = tuple(_without_consent(asked, selection))
    kept_out = {finding.subject for finding in findings}
    kept = [review for review in asked if review.mask.case.code not in kept_out]
    if not kept:
        said = " ".join(str(finding) for finding in findings[:_SHOWN])
        raise RejectedInput(
            "nothing-selected",
            f"None of the {len(reviews)} approved case(s) is what was asked for. {said}".strip(),
            remedy="Ask for less; --dry-run says what would go in.",
        )
    return Selected(kept, findings)


def why_kept_out(case: Case, selection: CaseSelection) -> str:
    """Why a case is kept out of every release, in words for a finding; empty where it is not."""
    if Withdrawal.objects.filter(patient=case.patient_id).exists():
        return "the patient was withdrawn"
    if case.consent == Consent.REFUSED:
        return "the patient did not agree that the images are given away"
    if selection.needs_consent and case.consent != Consent.GIVEN:
        return "no consent of the patient is recorded"
    return ""


def _is_asked(review: Review, selection: CaseSelection) -> bool:
    case = review.mask.case
    return (
        (not selection.cases or case.code in selection.cases)
        and (not selection.tissue_types or case.tissue_type in selection.tissue_types)
        and (not selection.scores or review.quality_score in selection.scores)
        and all(_has_passed(case, stage) for stage in selection.stages)
    )


def _has_passed(case: Case, stage: str) -> bool:
    """Whether the newest round of a stage is done."""
    newest = CaseStage.objects.filter(case=case, stage=stage).order_by("round").last()
    return newest is not None and newest.state == StageState.DONE


def _without_consent(reviews: Sequence[Review], selection: CaseSelection) -> Iterator[Finding]:
    for case in (review.mask.case for review in reviews):
        if why := why_kept_out(case, selection):
            remedy = "Write the consent into cases.csv and ingest again, where it was given."
            yield Finding(Level.WARNING, "case-without-consent", f"It is left out: {why}.", remedy, case.code)


def _require_known(study: Study, selection: CaseSelection) -> None:
    protocol = study.protocol
    known = [stage.name for stage in protocol.steps]
    _require(selection.stages, known, code="stage-unknown", what="stages of the protocol")
    types = [*protocol.tissue_types, UNKNOWN_TISSUE]
    _require(selection.tissue_types, types, code="tissue-type-unknown", what="tissue types of the protocol")
    codes = Case.objects.filter(study=study, code__in=selection.cases).values_list("code", flat=True)
    _require(selection.cases, list(codes), code="case-unknown", what="cases of the study")


def _require(asked: Sequence[str], known: Sequence[str], *, code: str, what: str) -> None:
    unknown = sorted(set(asked) - set(known))
    if unknown:
        listed = f": {', '.join(known)}" if code != "case-unknown" else ""
        raise RejectedInput(
            code,
            f"Expected {what}{listed}, got {', '.join(unknown)[:200]}.",
            remedy="Correct the name.",
        )


def _require_approved(study: Study, selection: CaseSelection) -> None:
    named = Case.objects.with_images().filter(study=study, code__in=selection.cases).order_by("code")
    reasons = {case.code: why for case in named if (why := why_not_counted(case))}
    if reasons:
        raise RejectedInput(
            "case-not-approved",
            "Releases hold approved cases only. " + "; ".join(f"{code}: {why}" for code, why in reasons.items()),
            remedy="Leave them out, or have them approved.",
        )


def _require_selected(codes: Sequence[str], selection: CaseSelection) -> None:
    missing = sorted(set(selection.cases) - set(codes))
    if missing:
        raise RejectedInput(
            "case-not-selected",
            f"These cases are approved, and are not what else is asked for: {', '.join(missing)}.",
            remedy="Ask for less, or leave them out.",
        )
