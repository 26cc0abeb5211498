"""Doubts about a case's saves: saves that Label Studio does not confirm, and saves whose annotator is unknown."""

from collections.abc import Iterable, Iterator

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationFinding,
    ConfirmationOutcome,
    FindingKind,
    LabelingTask,
    NamedDrawer,
)
from annotation_backend.labeling.saves.store import lock_cases, settled
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import has_role_in, people_in
from datasets.errors import RejectedInput


def note_doubts(case: Case) -> int:
    """Raises one finding for all unconfirmed saves of a case, and one for all whose annotator is unknown.

    A person who has marked one as seen gets the next only if more such saves came since.

    Returns:
        How many of the two are open now.
    """
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=case.pk)  # two workers on one case would each raise them
        doubts = {FindingKind.UNCONFIRMED: unexplained(case), FindingKind.AUTHOR: unproved(case)}
        return sum(_keep_one(case, kind, rows) for kind, rows in doubts.items())


def unexplained(case: Case) -> list[Annotation]:
    """Evidence of a case that an annotator's next save does not explain.

    Two saves in quick succession are common: the first is replaced before Label Studio could confirm it. Where the
    people whom it names also made a later save that was confirmed, no work of theirs is missing.
    """
    rows = Annotation.objects.filter(task__case=case).evidence().select_related("confirmation").defer("raw")
    return [row for row in rows if not _is_explained(row)]


def unproved(case: Case) -> list[Annotation]:
    """Confirmed saves of a case whose annotator is unknown."""
    return list(Annotation.objects.filter(task__case=case).unproved().select_related("confirmation").defer("raw"))


def name_annotator(finding: AnnotationFinding, person: User, *, named_by: User) -> int:
    """A data manager names the annotator of a finding's saves; they count from now on, as that person's.

    Args:
        finding: About saves whose annotator is unknown; saves that came after it are not named by it.
        person: The annotator, who may not approve them.
        named_by: A data manager.

    Returns:
        How many saves were named.

    Raises:
        RejectedInput: Somebody else than a data manager names (``not-a-data-manager``), or there is nothing to name
            any more (``nothing-to-name``).
    """
    if not has_role_in(finding.annotation.task.case.study, named_by, Role.DATA_MANAGER):
        raise RejectedInput("not-a-data-manager", "Only a data manager names annotators.", remedy="Ask one.")
    case = finding.annotation.task.case
    with transaction.atomic():
        lock_cases(LabelingTask.objects.filter(case=case))
        tasks = LabelingTask.objects.filter(case=case).select_related("case").select_for_update(of=("self",))
        with settled(*tasks.order_by("pk")):
            rows = [row for row in unproved(case) if row.pk <= finding.annotation_id]
            if finding.kind != FindingKind.AUTHOR or not rows:
                raise RejectedInput(
                    "nothing-to-name", "No save of this finding waits for a name.", remedy="Load the page again."
                )
            NamedDrawer.objects.bulk_create(
                NamedDrawer(annotation=row, person=person, named_by=named_by) for row in rows
            )
        AnnotationFinding.objects.filter(pk=finding.pk).update(seen_by=named_by, seen_at=timezone.now())
    return len(rows)


def possible_annotators(study: Study) -> QuerySet[User]:
    """The people who may have drawn in a study: its members, and those who did before they left it."""
    drew = Annotation.objects.filter(task__case__study=study, author__isnull=False).order_by().values("author")
    named = NamedDrawer.objects.filter(annotation__task__case__study=study).values("person")
    members = people_in(study).values("pk")
    return User.objects.filter(Q(pk__in=members) | Q(pk__in=drew) | Q(pk__in=named)).order_by("username")


def _is_explained(row: Annotation) -> bool:
    if row.confirmation.outcome != ConfirmationOutcome.SUPERSEDED or not row.people:
        return False
    same = Annotation.objects.filter(project=row.project_id, label_studio_id=row.label_studio_id)
    later = same.proved().filter(saved_at__gt=row.saved_at).values_list("completed_by", "updated_by")
    return row.people <= {person for pair in later for person in pair}


def _keep_one(case: Case, kind: FindingKind, doubted: Iterable[Annotation]) -> int:
    """Keeps one open finding of the kind as long as there are saves in doubt that nobody has looked at."""
    findings = AnnotationFinding.objects.filter(annotation__task__case=case, kind=kind)
    looked_at = findings.filter(seen_at__isnull=False).values_list("annotation", "numbers")
    seen = {save for newest, numbers in looked_at for save in [newest, *numbers.get("saves", [])]}
    rows = [row for row in doubted if row.pk not in seen]
    waiting = findings.filter(seen_at__isnull=True)
    if not rows:
        waiting.delete()
        return 0
    newest = max(rows, key=lambda row: row.pk)
    numbers = {"count": len(rows), "saves": sorted(row.pk for row in rows), "people": sorted(_people(rows))}
    kept = waiting.first() or AnnotationFinding(kind=kind)
    waiting.exclude(pk=kept.pk).delete()
    kept.annotation, kept.numbers = newest, numbers
    kept.save()
    return 1


def _people(rows: Iterable[Annotation]) -> Iterator[int]:
    return iter({person for row in rows for person in row.people})
