"""Links of the processes beside the web service, and of the jobs that they run."""

from collections.abc import Sequence

from django_tasks_db.models import DBTaskResult

from annotation_backend.cases.models import Case
from annotation_backend.learning.retraining.asking import failed_ask
from annotation_backend.studies.models import Study
from annotation_backend.supervision.lost_jobs import given_up, lost_jobs, name_of
from annotation_backend.supervision.presence import missing
from datasets.errors import RejectedInput, TryAgain

_MOST_NAMED = 5


def processes() -> None:
    """Worker, trainer and reconciler are there."""
    gone = missing()
    if gone:
        lines = "; ".join(f"the {part.value} is not running ({part.undone})" for part in gone)
        raise TryAgain(
            "process-missing",
            f"Not all processes of the Procfile run: {lines}.",
            remedy="`make up` starts each again by itself within half a minute; what ended it is in data/logs.",
        )


def jobs() -> None:
    """No job lost its worker and waits, and none was given up."""
    lost = lost_jobs()
    if lost:
        raise TryAgain(
            "jobs-lost",
            f"{len(lost)} job(s) stand as running and their worker is gone: {_names(lost)}.",
            remedy="The next worker or reconciler that starts runs them again: start `make up`, or wait half a minute.",
        )
    dropped = [row for row in given_up() if _matters(row)]
    if dropped:
        raise RejectedInput(
            "jobs-given-up",
            f"Workers died of {len(dropped)} job(s) again and again: {_names(dropped)}.",
            remedy="See the end of data/logs/worker.log: is the memory too small? Then change the case, or take it out "
            "with `manage.py exclude_case`.",
        )


def trainings() -> None:
    """No training that was asked for has failed without one that was done since."""
    found = [(study, failed_ask(study)) for study in Study.objects.all()]
    failed = [f"{study}: {asked.error}" for study, asked in found if asked is not None]
    if failed:
        raise RejectedInput(
            "training-failed",
            f"The last training that was asked for failed. {' '.join(failed)[:1000]}",
            remedy="Correct what is named, and start another one on the study's page Models.",
        )


def _matters(row: DBTaskResult) -> bool:
    """Whether its case is still worked on, where it has one."""
    code = row.args_kwargs["kwargs"].get("case_code")
    return code is None or Case.objects.in_use().filter(code=code).exists()


def _names(rows: Sequence[DBTaskResult]) -> str:
    return ", ".join(dict.fromkeys(map(name_of, rows[:_MOST_NAMED])))
