"""The doctor: every link of the installation, one rehearsal case through all of it, and everything put away again."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from django.db import DatabaseError

from annotation_backend.doctor import processes, services, settings_and_disk, studio_door
from annotation_backend.doctor.examination import Examination, Failure, Link, try_links
from annotation_backend.doctor.lock import alone
from annotation_backend.doctor.putting_away import put_away_rehearsals
from annotation_backend.doctor.rehearsal import Rehearsal
from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.project.project import current_project
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import find_study

__all__ = ["Examination", "Failure", "Link", "alone", "examine", "put_away_rehearsals"]


def examine(*, tell: Callable[[str], None], study: str | None = None) -> Examination:
    """Tries every link; one that fails stops only those that need it. The rehearsal cases are put away in any case.

    Args:
        tell: Called with one line for each link.
        study: Name of the study in which to rehearse; None for each in turn.

    Raises:
        RejectedInput: There is no study of that name (``study-unknown``).
        TryAgain: Another doctor is at work (``doctor-busy``).
    """
    with alone(), tempfile.TemporaryDirectory(prefix="maskloop-doctor-") as folder:
        try:
            return try_links([*_standing_links(), *rehearsals(Path(folder), study)], tell=tell)
        finally:
            with suppress(DatabaseError):  # then it was told of as a link
                put_away_rehearsals()


def rehearsals(folder: Path, name: str | None) -> Iterator[Link]:
    """A rehearsal in each study that is meant; where there are several, its links carry the study's name."""
    try:
        studies: list[Study | None] = [find_study(name)] if name else [*Study.objects.all()]
    except DatabaseError:  # it is told of as a link, without which no rehearsal is tried
        studies = []
    for study in studies or [None]:
        yield from Rehearsal(folder / str(study), study, name=f"{study}: " if len(studies) > 1 else "").links()


def _standing_links() -> list[Link]:
    """Links that can be tried without a case."""
    return [
        Link("addresses", settings_and_disk.addresses),
        Link("secrets", settings_and_disk.secrets),
        Link("data folder", settings_and_disk.data_folder),
        Link("database", settings_and_disk.database),
        Link("no rehearsal left behind", put_away_rehearsals, ("database",)),
        Link("web service", services.web_service),
        Link("ML backend's password", services.ml_backend_password, ("web service",)),
        Link("webhook's header", services.webhook_header, ("web service",)),
        Link("processes", processes.processes),
        Link("jobs", processes.jobs, ("database",)),
        Link("trainings", processes.trainings, ("database",)),
        Link("Label Studio", services.label_studio),
        Link("Label Studio's door", studio_door.door, ("Label Studio", "web service")),
        Link("Label Studio's token", services.token, ("Label Studio",)),
        Link("models", services.models, ("database",)),
        Link("ML backend in Label Studio", _of_project(services.ml_backend_in_label_studio), _WHERE_WE_PUBLISH),
        Link("webhook in Label Studio", _of_project(services.webhook_in_label_studio), _WHERE_WE_PUBLISH),
        Link("what Label Studio shows", _of_project(services.shown_in_label_studio), _WHERE_WE_PUBLISH),
    ]


_WHERE_WE_PUBLISH = ("database", "Label Studio's token")


def _of_project(check: Callable[[LabelingProject], None]) -> Callable[[], None]:
    """The check on each of our projects as it is before the rehearsal's publication, which repairs it; nothing before
    the first publication."""

    def of_project() -> None:
        for study in Study.objects.all():
            project = current_project(study)
            if project is not None:
                check(project)

    return of_project
