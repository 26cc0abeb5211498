"""Registration of cases: workers compute, this process stores the result (`keep`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotation_backend.cases.models import Case, Registration, VerdictOfRegistration, title_of
from annotation_backend.cases.registration.keep import is_on_drawn_grid, keep_images, require_undrawn
from annotation_backend.cases.workers.images import RegistrationTask, TaskImage, register_images
from annotation_backend.cases.workers.scratch import scratch_folder
from annotation_backend.compute import each_done
from annotation_backend.studies.addresses import page_of
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.progress import Progress

if TYPE_CHECKING:
    from curation.registration.motion_search import RegistrationSettings

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
    role: str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> RegistrationReport:
    """Brings each case's images onto the drawn one; a case that fails never stops the rest, a killed run goes on.

    Args:
        cases: The cases to register; those that are registered are left alone.
        settings: Settings of the registration; None for the defaults.
        again: Register also those that are registered, unless somebody drew on them, which is asked again at the end.
        role: Only this image of each case again; all of them where the case's drawn image is another than it was.
        workers: As for `each_done`.
        progress: Called with (cases done, cases to do).
    """
    report = RegistrationReport()
    todo = [case for case in cases if _may_register(case, report, again=again)]
    by_code = {case.code: case for case in todo}
    with scratch_folder() as scratch:
        tasks = list(_tasks(todo, scratch, settings, role, report))
        for outcome in each_done(
            register_images, tasks, key=lambda task: task.case_code, workers=workers, progress=progress
        ):
            case = by_code[outcome.item.case_code]
            if outcome.result is None:
                report.findings.append(outcome.finding_about(case.code))
                continue
            try:
                keep_images(case, outcome.result, is_part=outcome.item.is_part)
            except RejectedInput as error:
                report.findings.append(_about(case, error))
                continue
            report.done.append(case)
            report.findings += [*outcome.result.findings, *doubts_about(case)]
    return report


def _tasks(
    cases: Sequence[Case],
    scratch: Path,
    settings: "RegistrationSettings | None",
    role: str | None,
    report: RegistrationReport,
) -> Iterator[RegistrationTask]:
    for case in cases:
        try:
            yield _task(case, scratch, settings, role if case.is_registered and is_on_drawn_grid(case) else None)
        except RejectedInput as error:
            report.findings.append(_about(case, error))


def would_register(cases: Sequence[Case], *, again: bool = False) -> tuple[list[Case], list[Finding]]:
    """The cases that `register_cases` would do now, and why not the others that it was asked for."""
    report = RegistrationReport()
    return [case for case in cases if _may_register(case, report, again=again)], report.findings


def register_case(case: Case) -> bool:
    """Brings one case's images onto the drawn one, in this process.

    Returns:
        Whether it was done now (False: it was registered before).

    Raises:
        RejectedInput: The volumes cannot be registered.
    """
    if case.is_registered:
        return False
    with scratch_folder() as scratch:
        keep_images(case, register_images(_task(case, scratch, None)))
    return True


def settings_of(preset: str | None, motion: str | None) -> "RegistrationSettings":
    """The settings that a person asked for, and the defaults for the rest."""
    from curation.registration.motion_search import RegistrationSettings

    asked: dict[str, Any] = {"preset": preset, "motion": motion}
    return RegistrationSettings(**{name: value for name, value in asked.items() if value is not None})


def doubts_about(case: Case) -> list[Finding]:
    """Findings that keep the case's registration from being built upon; empty for a sound one."""
    return [_doubt(row) for row in case.registrations.all() if row.is_doubtful]


def _doubt(registration: Registration) -> Finding:
    case = registration.case
    page = page_of(case.study, "registration-page", case.code)
    several = case.registrations.count() > 1
    which = f" of {registration.title}" if several else ""
    if registration.verdict == VerdictOfRegistration.LOOK:
        message = f"The checks doubt this registration{which}; a person has to look at it first."
        return Finding(Level.WARNING, "registration-doubtful", message, f"Look at {page} and decide.", case.code)
    message = f"The registration{which} was rejected."
    without = ", leave the image out" if registration.may_be_left_out else ""
    remedy = f"Look at {page}: register it again with other settings{without}, or exclude the case."
    return Finding(Level.ERROR, "registration-rejected", message, remedy, case.code)


def require_sound(case: Case) -> None:
    """Refuses a case whose registration must not be built upon.

    Raises:
        RejectedInput: It is not registered, excluded, or its registration is rejected or waits for a person.
    """
    require_registered(case)
    require_in_use(case)
    for doubt in doubts_about(case):
        raise RejectedInput(doubt.code, doubt.message, remedy=doubt.remedy)


def require_registered(case: Case) -> None:
    """Refuses a case whose images do not lie on one grid yet.

    Raises:
        RejectedInput: They do not (``case-not-registered``).
    """
    if not case.is_registered:
        raise RejectedInput("case-not-registered", f"{case.code} is not registered.", remedy="Run `register_cases`.")


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
            require_undrawn(case)
    except RejectedInput as error:
        report.findings.append(_about(case, error))
        return False
    return again


def _about(case: Case, error: RejectedInput) -> Finding:
    return Finding(Level.ERROR, error.code, error.message, error.remedy, case.code)


def _task(
    case: Case, scratch: Path, settings: "RegistrationSettings | None", role: str | None = None
) -> RegistrationTask:
    """The images of a case for a worker; only one of the moving ones where a role is given.

    Raises:
        RejectedInput: The case lacks the image that is drawn on, or the one that is to be moved (``case-no-image``).
    """
    images = {image.role: image for image in _task_images(case)}
    missing = {case.drawn_role, *([role] if role else [])} - set(images)
    if missing:
        raise RejectedInput(
            "case-no-image",
            f"{case.code} has no {', '.join(title_of(case, one) for one in sorted(missing))}.",
            remedy="Ingest its studies again, or give the case a tissue type whose image it has.",
        )
    fixed = images.pop(case.drawn_role)
    if role == fixed.role:
        raise RejectedInput(
            "image-not-moved",
            f"{fixed.title} of {case.code} is drawn on, and is never moved.",
            remedy="Name one of the other images, or none for all of them.",
        )
    moving = [images[role]] if role else list(images.values())
    return RegistrationTask(
        case.code, fixed=fixed, moving=moving, scratch=scratch, settings=settings, is_part=role is not None
    )


def _task_images(case: Case) -> Iterator[TaskImage]:
    """The series of a case that its protocol knows, in the protocol's order."""
    series = {row.role: row for row in case.series.all()}
    for image in case.protocol.images:
        row = series.get(image.name)
        if row is not None:
            yield TaskImage(
                role=image.name,
                title=image.title,
                modality=image.modality.value,
                path=case.folder / row.file,
                sha256=row.sha256,
                placed_by=image.placed_by,
                is_required=image.is_required,
                frame=str(row.evidence.get("frame", "")),
            )
