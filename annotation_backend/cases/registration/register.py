"""Registration of cases: workers compute, this process stores the result."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction

from annotation_backend.cases.models import Case, Registration, VerdictOfRegistration
from annotation_backend.cases.signals import shown_changed
from annotation_backend.cases.stored.digests import forget_damages
from annotation_backend.cases.workers.pairs import RegistrationTask, StoredRegistration, register_pair
from annotation_backend.cases.workers.scratch import move_beside, one_at_a_time, remove_others, scratch_folder
from annotation_backend.compute import each_done
from annotation_backend.studies.addresses import page_of
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.progress import Progress
from datasets.study.case import SeriesRole

if TYPE_CHECKING:
    from curation.registration.motion_search import RegistrationSettings

logger = logging.getLogger(__name__)


PRESETS = ("fast", "ants")
MOTIONS = ("rigid", "affine", "deformable")
"""Values that a person may ask for; `curation.registration.motion_search.RegistrationSettings` explains them."""


@dataclass
class RegistrationReport:
    """Cases that were registered now, and findings."""

    done: list[Case] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def register_cases(
    cases: Sequence[Case],
    *,
    settings: "RegistrationSettings | None" = None,
    again: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> RegistrationReport:
    """Brings each case's T1 onto its T2; one that fails never stops the rest, and a run that was killed goes on.

    Args:
        cases: The cases to register; those that are registered are left alone.
        settings: Settings of the registration; None for the defaults.
        again: Register also those that are registered, unless somebody drew on them, which is asked again at the end.
        workers: As for `each_done`.
        progress: Called with (cases done, cases to do).
    """
    report = RegistrationReport()
    todo = [case for case in cases if _may_register(case, report, again=again)]
    by_code = {case.code: case for case in todo}
    with scratch_folder() as scratch:
        tasks = [_task(case, scratch, settings) for case in todo]
        for outcome in each_done(
            register_pair, tasks, key=lambda task: task.case_code, workers=workers, progress=progress
        ):
            case = by_code[outcome.item.case_code]
            if outcome.result is None:
                report.findings.append(outcome.finding_about(case.code))
                continue
            try:
                keep_registration(case, outcome.result)
            except RejectedInput as error:
                report.findings.append(_about(case, error))
                continue
            report.done.append(case)
            report.findings += doubts_about(case)
    return report


def would_register(cases: Sequence[Case], *, again: bool = False) -> tuple[list[Case], list[Finding]]:
    """The cases that `register_cases` would do now, and why not the others that it was asked for."""
    report = RegistrationReport()
    return [case for case in cases if _may_register(case, report, again=again)], report.findings


def register_case(case: Case) -> bool:
    """Brings one case's T1 onto its T2, in this process.

    Returns:
        Whether it was done now (False: it was registered before).

    Raises:
        RejectedInput: The volumes cannot be registered.
    """
    if case.is_registered:
        return False
    with scratch_folder() as scratch:
        keep_registration(case, register_pair(_task(case, scratch, None)))
    return True


def settings_of(preset: str | None, motion: str | None) -> "RegistrationSettings":
    """The settings that a person asked for, and the defaults for the rest."""
    from curation.registration.motion_search import RegistrationSettings

    asked: dict[str, Any] = {"preset": preset, "motion": motion}
    return RegistrationSettings(**{name: value for name, value in asked.items() if value is not None})


def keep_registration(case: Case, stored: StoredRegistration) -> Registration:
    """Moves a registration from scratch to its case and records it; the case's earlier one goes.

    A person's verdict on the very same registration stands: the same series with the same settings give it again.
    At any moment the record names a whole folder: the earlier one goes once the record names the new one.

    Raises:
        RejectedInput: Since the registration was begun somebody drew on the case (``case-annotated``), or its tasks
            lie on another grid (``case-published``); the earlier registration stays.
    """
    verdict = str(stored.record.get("quality", {}).get("verdict", ""))
    with one_at_a_time(case.folder):
        place = move_beside(stored.folder, case.folder / "registration" / stored.name)
        try:
            registration = _record_at(case, place.relative_to(case.folder).as_posix(), stored, verdict)
        finally:
            _remove_what_no_record_names(case, place)
        forget_damages(case, "registration")
    case.refresh_from_db()
    logger.info("registered %s: %s", case, verdict or "not checked")
    return registration


def _remove_what_no_record_names(case: Case, place: Path) -> None:
    """Removes the earlier registration's folder, or the new one where it was refused."""
    registration = Registration.objects.filter(case=case).first()
    if registration is not None and registration.folder == place:
        remove_others(place)
    else:
        shutil.rmtree(place, ignore_errors=True)


@transaction.atomic
def _record_at(case: Case, place: str, stored: StoredRegistration, verdict: str) -> Registration:
    """Records a registration whose files lie at a place of the case's folder, with the verdict in force.

    Saves and verdicts wait meanwhile (they lock the case too), so that the rules are checked against the present state.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if locked.is_registered:
        _require_undrawn(locked)
        _require_grid_of_tasks(locked, stored)
    said = case.registration_verdicts.filter(record_sha256=stored.record_sha256).order_by("pk").last()
    registration, _ = Registration.objects.update_or_create(
        case=case,
        defaults={
            "record": stored.record,
            "record_sha256": stored.record_sha256,
            "t1_file": f"{place}/t1.nii.gz",
            "t2_file": f"{place}/t2.nii.gz",
            "checkerboard_file": f"{place}/checkerboard.png",
            "automatic_verdict": verdict,
            "verdict": said.verdict if said else verdict,
        },
    )
    shown_changed.send(sender=Registration, case=locked)
    return registration


def doubts_about(case: Case) -> list[Finding]:
    """Findings that keep the case's registration from being built upon; empty for a sound one."""
    verdict = case.registration.verdict if case.is_registered else ""
    page = page_of(case.study, "registration-page", case.code)
    if verdict == VerdictOfRegistration.LOOK:
        message = "The checks doubt this registration; a person has to look at it first."
        return [Finding(Level.WARNING, "registration-doubtful", message, f"Look at {page} and decide.", case.code)]
    if verdict == VerdictOfRegistration.REJECT:
        message = "The registration was rejected."
        remedy = f"Look at {page}: register it again with other settings, or exclude the case."
        return [Finding(Level.ERROR, "registration-rejected", message, remedy, case.code)]
    return []


def require_sound(case: Case) -> None:
    """Refuses a case whose registration must not be built upon.

    Raises:
        RejectedInput: It is not registered, excluded, or its registration is rejected or waits for a person.
    """
    if not case.is_registered:
        raise RejectedInput("case-not-registered", f"{case.code} is not registered.", remedy="Run `register_cases`.")
    require_in_use(case)
    for doubt in doubts_about(case):
        raise RejectedInput(doubt.code, doubt.message, remedy=doubt.remedy)


def require_in_use(case: Case) -> None:
    """Refuses an excluded case.

    Raises:
        RejectedInput: It is excluded (``case-excluded``).
    """
    if case.exclusion is not None:
        raise RejectedInput(
            "case-excluded",
            f"{case.code} is excluded: {case.exclusion.reason}.",
            remedy=f"Take that back on {page_of(case.study, 'registration-page', case.code)} first.",
        )


def _may_register(case: Case, report: RegistrationReport, *, again: bool) -> bool:
    if not case.is_registered:
        return True
    try:
        if again:
            _require_undrawn(case)
    except RejectedInput as error:
        report.findings.append(_about(case, error))
        return False
    return again


def _require_undrawn(case: Case) -> None:
    """Refuses a case on which somebody has drawn."""
    if case.is_annotated:
        raise RejectedInput(
            "case-annotated",
            "Somebody has drawn on this case, and another registration would move the image under the masks; the "
            "registration stays as it was.",
            remedy="Keep it; or, where it is wrong, exclude the case: another choice of the patient's series, ingested "
            "after that, makes a case of its own.",
        )


def _require_grid_of_tasks(case: Case, stored: StoredRegistration) -> None:
    """Refuses a registration on another grid than the tasks': the tissue type, which sets it, may have changed."""
    before = case.registration.record.get("grid")
    if before is not None and before != stored.record.get("grid") and case.is_published:
        raise RejectedInput(
            "case-published",
            "The case's tasks were published on another grid; the registration stays as it was.",
            remedy="Exclude the case, or give it back the tissue type that it had when it was published.",
        )


def _about(case: Case, error: RejectedInput) -> Finding:
    return Finding(Level.ERROR, error.code, error.message, error.remedy, case.code)


def _task(case: Case, scratch: Path, settings: "RegistrationSettings | None") -> RegistrationTask:
    series = {SeriesRole(row.role): row for row in case.series.all()}
    return RegistrationTask(
        case_code=case.code,
        series={role: case.folder / row.file for role, row in series.items()},
        digests={role: row.sha256 for role, row in series.items()},
        annotated=case.annotated_role,
        scratch=scratch,
        settings=settings,
    )
