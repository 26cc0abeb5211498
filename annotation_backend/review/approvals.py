"""Approvals that hold: checked again, under a lock, when a release or a snapshot is made of them."""

from collections.abc import Collection

from annotation_backend.cases.models import Case, VerdictOfRegistration
from annotation_backend.review.endings import end_what_changed
from annotation_backend.review.models import Review, Verdict, approved_review, latest_review
from annotation_backend.stages.models import CaseStage, StageState
from annotation_backend.studies.models import Study


def approved_reviews(codes: Collection[str] | None = None, *, study: Study | None = None) -> list[Review]:
    """The approving verdict of each sound case that has an approved mask now, in the order of the cases.

    A verdict whose ground changed unnoticed ends here, with a row that says so.

    Args:
        codes: Codes of the cases; None for all.
        study: The study whose cases they are; None for any.
    """
    cases = Case.objects.sound() if study is None else Case.objects.sound().filter(study=study)
    cases = cases if codes is None else cases.filter(code__in=codes)
    reviews = {case: approved_review(case) for case in cases}
    for case, review in reviews.items():
        if review is None:
            end_what_changed(case)
    return [review for review in reviews.values() if review is not None]


def why_not_counted(case: Case) -> str:
    """The reason why an approved case counts in no release and no training now; empty where it does."""
    is_sound = Case.objects.sound().filter(pk=case.pk).exists()
    return "" if is_sound and approved_review(case) is not None else why_unapproved(case.code)


def lock_approvals(codes: Collection[str]) -> None:
    """Keeps the approvals of cases as they are until the transaction ends.

    Everything that ends an approval or excludes its case locks the case first: saves, verdicts, exclusions and others.
    """
    list(Case.objects.filter(code__in=codes).order_by("pk").select_for_update().values_list("pk"))


def why_unapproved(code: str) -> str:
    """Why a case that was approved a while ago is not now, in words for a finding."""
    case = Case.objects.with_images().get(code=code)
    if case.exclusion is not None:
        return f"it was excluded: {case.exclusion.reason}"
    if case.registration_verdict == VerdictOfRegistration.REJECT:
        return "its registration was rejected"
    if case.registration_verdict == VerdictOfRegistration.LOOK:
        return "its registration waits for a person's look"
    review = latest_review(case)
    if review is not None and review.verdict == Verdict.RETURN:
        return "it was returned to the annotator"
    if review is not None and review.verdict == Verdict.DOWN:
        return "it was sent down the ladder, to be drawn afresh"
    if review is not None and review.ending is not None:
        return f"its approval ended: {review.ending.get_reason_display()}"
    if CaseStage.objects.filter(case=case, state=StageState.OPEN).exists():
        return "another stage of its protocol waits"
    return "what is known of it has changed"
