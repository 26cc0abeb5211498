"""Keeps the images that a worker brought onto a case's grid: files into their places, and their records."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import transaction

from annotation_backend.cases.models import Case, CaseImage, Registration, VerdictOfRegistration
from annotation_backend.cases.signals import shown_changed
from annotation_backend.cases.stored.digests import forget_damages
from annotation_backend.cases.workers.images import StoredImages, StoredRegistration
from annotation_backend.cases.workers.scratch import move_beside, one_at_a_time, remove_others
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes

logger = logging.getLogger(__name__)


def keep_images(case: Case, stored: StoredImages, *, is_part: bool = False) -> None:
    """Moves registrations from scratch to their case and records them; those that they replace go.

    A person's verdict on the very same registration stands: the same series with the same settings give it again.
    At any moment the records name whole folders: earlier ones go once the records name the new ones.

    Args:
        case: The case whose images they are.
        stored: The images in scratch.
        is_part: Whether the case's other images stay as they are.

    Raises:
        RejectedInput: Since the registration was begun somebody drew on the case (``case-annotated``), or its tasks
            lie on another grid (``case-published``); the earlier images stay.
    """
    with one_at_a_time(case.folder):
        places = [
            (move_beside(one.folder, case.folder / "registration" / one.name), one) for one in stored.registrations
        ]
        try:
            _record_at(case, places, is_part=is_part)
        finally:
            _remove_what_no_record_names(case)
        forget_damages(case, "registration")
    case.refresh_from_db()
    logger.info("registered %s: %s", case, case.registration_verdict or "not checked")


def bind_images(case: Case) -> None:
    """Writes down which images the case has on its grid now; to be called, under its lock, when that changes.

    With one moved image it is the digest of that image's record, which holds the digests of both.
    """
    rows = [row for row in case.registrations.all() if row.verdict != VerdictOfRegistration.LEFT_OUT]
    if len(rows) == 1:
        case.images_sha256 = rows[0].record_sha256
    else:
        content = {row.role: row.record_sha256 for row in rows} or {one.role: one.sha256 for one in case.shown_images}
        case.images_sha256 = sha256_of_bytes(canonical_json(content))
    case.save(update_fields=["images_sha256"])
    shown_changed.send(sender=Registration, case=case)


def is_on_drawn_grid(case: Case) -> bool:
    """Whether every image lies on the grid of the one that is drawn on now: another tissue type may draw on another."""
    return all(row.fixed_role == case.drawn_role for row in case.registrations.all())


def require_undrawn(case: Case) -> None:
    """Refuses a case on which somebody has drawn.

    Raises:
        RejectedInput: Somebody has (``case-annotated``).
    """
    if case.is_annotated:
        raise RejectedInput(
            "case-annotated",
            "Somebody has drawn on this case, and another registration would move the image under the masks; the "
            "registration stays as it was.",
            remedy="Keep it; or, where it is wrong, exclude the case: another choice of the patient's series, ingested "
            "after that, makes a case of its own.",
        )


def _remove_what_no_record_names(case: Case) -> None:
    """Removes folders of earlier registrations, or new ones that were refused."""
    files = [
        *case.images.values_list("file", flat=True),
        *case.registrations.values_list("checkerboard_file", flat=True),
    ]
    home = case.folder / "registration"
    named = {place for file in files if (place := (case.folder / file).parent).parent == home}
    if named:
        remove_others(*named)
    else:
        shutil.rmtree(home, ignore_errors=True)


@transaction.atomic
def _record_at(case: Case, places: list[tuple[Path, StoredRegistration]], *, is_part: bool) -> None:
    """Records registrations whose files lie in folders of the case, with the verdicts in force.

    Saves and verdicts wait meanwhile (they lock the case too), so that the rules are checked against the present state.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if locked.is_registered:
        require_undrawn(locked)
        _require_grid_of_tasks(locked, places[0][1])
    kept = {one.role for _, one in places} if not is_part else None
    if kept is not None:
        locked.registrations.exclude(role__in=kept).delete()
        locked.images.exclude(role__in=kept | {places[0][1].fixed_role}).delete()
    for place, stored in places:
        _record(locked, place.relative_to(case.folder).as_posix(), stored)
    bind_images(locked)


def _record(case: Case, place: str, stored: StoredRegistration) -> None:
    for role, digest in stored.outputs.items():
        lies = {"file": f"{place}/{role}.nii.gz", "sha256": digest}
        CaseImage.objects.update_or_create(case=case, role=role, defaults=lies)
    if stored.is_alone:
        case.registrations.all().delete()
        return
    verdict = str(stored.record.get("quality", {}).get("verdict", ""))
    said = case.registration_verdicts.filter(record_sha256=stored.record_sha256).order_by("pk").last()
    values: dict[str, Any] = {
        "fixed_role": stored.fixed_role,
        "record": stored.record,
        "record_sha256": stored.record_sha256,
        "checkerboard_file": f"{place}/checkerboard.png",
        "automatic_verdict": verdict,
        "verdict": said.verdict if said else verdict,
    }
    Registration.objects.update_or_create(case=case, role=stored.role, defaults=values)


def _require_grid_of_tasks(case: Case, stored: StoredRegistration) -> None:
    """Refuses a registration on another grid than the tasks': the tissue type, which sets it, may have changed."""
    before, now = next(_grids_of(case), None), stored.record.get("grid")
    if None not in (before, now) and before != now and case.is_published:
        raise RejectedInput(
            "case-published",
            "The case's tasks were published on another grid; the registration stays as it was.",
            remedy="Exclude the case, or give it back the tissue type that it had when it was published.",
        )


def _grids_of(case: Case) -> Iterator[object]:
    """The grid of the case's images, as it was written down."""
    records = (row.record for row in case.registrations.all())
    yield from (record["grid"] for record in records if record.get("grid") is not None)
    if case.picture_plane is not None:
        yield case.picture_plane["grid"]
