"""Sudden loss: a save took most of a mask away, so a person looks at it before it counts as meant."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.masks.regions import drawn_masks
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationFinding,
    FindingKind,
    NamedDrawer,
    Restoration,
    VersionMasks,
)
from annotation_backend.labeling.versions.decoded_masks import mask_in
from annotation_backend.stages.hiding import hidden_readings_in
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import has_role_in

LOOKERS = (Role.RADIOLOGIST, Role.DATA_MANAGER)
"""Roles that look at findings; a person's own loss is for somebody else to mark as seen."""

REMAINS = 0.2
"""A label of which less than this is left has lost most of its area."""

REGION_REMAINS = 0.5
"""A region of which less than this is inside the new mask is gone; one that was joined with another is not."""

LONGEST_LABEL = 100

LOSSES = (FindingKind.AREA, FindingKind.REGIONS, FindingKind.LABEL, FindingKind.WITHDRAWN)
"""Kinds of findings that follow from the versions alone, and are found anew from them."""

Key = tuple[int, int | None, str, str]


def note_losses(case: Case) -> int:
    """Raises a finding for each sudden loss between the versions of the case's slices.

    Losses depend on the versions alone, not on the order in which they came: a finding that nobody has looked at and
    that is none any more, because a version between came late, goes away. A reader's own work is no loss of another's.

    Returns:
        How many findings are new.
    """
    versions: dict[int, list[Annotation]] = {}
    rows = Annotation.objects.filter(task__case=case, reading=None, was_cancelled=False, drawn__isnull=False).proved()
    for row in rows.select_related("drawn").defer("raw", "drawn__bits").order_by("saved_at", "pk"):
        versions.setdefault(row.task_id, []).append(row)
    counting = Annotation.objects.filter(task__case=case).newest_of_each_task()
    found = dict[Key, dict[str, Any]]()
    for task, series in versions.items():
        found |= dict(_losses(series, counting.get(task)))
    return _write(case, found)


def open_findings(
    case: Case | None = None, *, study: Study | None = None, person: User | None = None
) -> QuerySet[AnnotationFinding]:
    """Findings that nobody has looked at yet, of one case or of all that are no rehearsal.

    Args:
        case: The case; None for all.
        study: The study whose cases they are; None for any, where no case is given either.
        person: Who looks, of a case or a study: none about a save of a reader who is hidden from them; None for all.
    """
    of_study = {} if study is None else {"task__case__study": study}
    here = {"task__case__is_rehearsal": False} if case is None else {"task__case": case}
    saves = Annotation.objects.filter(pk=OuterRef("annotation"), **here, **of_study)
    within = study if case is None else case.study
    if person is not None and within is not None:
        saves = saves.filter(_is_not_hidden("reading", within, person))
    # Asked finding by finding, and saves fetched after: a join would let the database begin with all saves.
    shown = Annotation.objects.select_related("task__case__study", "task__project", "author").defer("raw")
    return AnnotationFinding.objects.filter(Exists(saves), seen_at__isnull=True).prefetch_related(
        Prefetch("annotation", shown), Prefetch("before", Annotation.objects.defer("raw"))
    )


def findings_for(person: User, study: Study) -> QuerySet[AnnotationFinding]:
    """Findings of a study that a person may know of, looked at or not."""
    rows = AnnotationFinding.objects.filter(annotation__task__case__study=study)
    return rows.filter(_is_not_hidden("annotation__reading", study, person))


def mark_seen(findings: QuerySet[AnnotationFinding], person: User) -> int:
    """A person has looked at findings and says that the change was meant; person and time are stored.

    Returns:
        How many; those that somebody else has to look at are left open.
    """
    own = [finding.pk for finding in findings.filter(seen_at__isnull=True) if may_mark_seen(finding, person)]
    return AnnotationFinding.objects.filter(pk__in=own).update(seen_by=person, seen_at=timezone.now())


def may_mark_seen(finding: AnnotationFinding, person: User) -> bool:
    """Whether a person may mark a finding as seen: one of `LOOKERS` who did not make the save, nor is named by a doubt.

    A data manager, who never gives a verdict, may leave out any save in doubt: its names may be forged.
    """
    study = finding.annotation.task.case.study
    if not has_role_in(study, person, *LOOKERS):
        return False
    if not FindingKind(finding.kind).is_of_a_case:
        return not _is_own(finding.annotation, person)
    return has_role_in(study, person, Role.DATA_MANAGER) or person.label_studio_id not in finding.numbers.get(
        "people", []
    )


def _is_not_hidden(name: str, study: Study, person: User) -> Q:
    """That a save belongs to no reading that a person may not see: its slice alone would tell where others draw."""
    return Q(**{f"{name}__isnull": True}) | ~Q(**{f"{name}__in": hidden_readings_in(study, person)})


def _is_own(save: Annotation, person: User) -> bool:
    """Whether a person made a save, by Label Studio's word or a data manager's, or by restoring an earlier one."""
    is_signed_in = person.label_studio_id is not None and save.updated_by == person.label_studio_id
    is_named = is_signed_in or NamedDrawer.objects.filter(annotation=save, person=person).exists()
    return is_named or Restoration.objects.filter(result=save, person=person).exists()


def _losses(series: Sequence[Annotation], counting: Annotation | None) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Losses of each version of a slice against the one before, and of the last one if it does not count."""
    for before, after in pairwise(series):
        for kind, label, numbers in _between(before, after):
            yield (after.pk, before.pk, kind, label[:LONGEST_LABEL]), numbers
    last = series[-1]
    if counting is None or counting.pk != last.pk:
        left = next((row.drawn for row in series if counting is not None and row.pk == counting.pk), None)
        for label, area in last.drawn.areas.items():
            after_area = left.areas.get(label, 0) if left else 0
            if after_area < REMAINS * area:
                numbers = {"area_before": area, "area_after": after_area}
                yield (last.pk, None, FindingKind.WITHDRAWN, label[:LONGEST_LABEL]), numbers


def _between(before: Annotation, after: Annotation) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for label, area in before.drawn.areas.items():
        left = after.drawn.areas.get(label, 0)
        regions, regions_left = before.drawn.regions.get(label, 0), after.drawn.regions.get(label, 0)
        numbers = {
            "area_before": area,
            "area_after": left,
            "regions_before": regions,
            "regions_after": regions_left,
        }
        if area and not left and any(after.drawn.areas.values()):
            yield FindingKind.LABEL, label, numbers
        elif left < REMAINS * area:
            yield FindingKind.AREA, label, numbers
        elif regions_left < regions and _gone_regions(before, after, label):
            yield FindingKind.REGIONS, label, numbers


def _gone_regions(before: Annotation, after: Annotation, label: str) -> int:
    """How many regions of a label are no longer inside its mask."""
    masks = VersionMasks.objects.get(annotation=after)
    inside = mask_in(masks, label)
    gone = 0
    for region in before.raw["result"]:
        drawn = drawn_masks([region], height=masks.height, width=masks.width, labels=(label,)).pixels[label]
        gone += bool(drawn.any()) and (drawn & inside).sum() < REGION_REMAINS * drawn.sum()
    return gone


def _write(case: Case, found: dict[Key, dict[str, Any]]) -> int:
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=case.pk)  # two workers on one case would each raise them
        rows = AnnotationFinding.objects.filter(annotation__task__case=case).filter(kind__in=LOSSES)
        there = {(row.annotation_id, row.before_id, row.kind, row.label): row for row in rows}
        stale = [row.pk for key, row in there.items() if key not in found and row.seen_at is None]
        rows.filter(pk__in=stale).delete()
        new = [
            AnnotationFinding(annotation_id=key[0], before_id=key[1], kind=key[2], label=key[3], numbers=numbers)
            for key, numbers in found.items()
            if key not in there
        ]
        AnnotationFinding.objects.bulk_create(new)
    return len(new)
