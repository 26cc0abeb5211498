"""Records a training as it goes: one at a time in a study, stopped when one of its patients is withdrawn."""

import logging
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from annotation_backend.learning.models import Run, RunStatus, Snapshot
from annotation_backend.learning.runs.curves import Going
from annotation_backend.learning.runs.environment import code, environment
from annotation_backend.learning.runs.faults import full_disk_named, told
from annotation_backend.learning.runs.withdrawn import withdrawn_of
from annotation_backend.studies.models import Study
from annotation_backend.supervision.presence import held, is_present
from datasets.errors import RejectedInput, TryAgain
from datasets.files import canonical_json
from datasets.progress import ProgressOf
from training.fitting.running.processes import is_first

logger = logging.getLogger(__name__)

TELL_SECONDS = 2.0
"""How often the record of a training is written at most."""

LOOK_SECONDS = 5.0
"""How often a training asks whether one of its patients was withdrawn."""


@contextmanager
def recorded_run(
    snapshot: Snapshot, method: str, described: Mapping[str, Any], *, how: Mapping[str, Any] | None = None
) -> Iterator[Run]:
    """A record of a training: done when the block ends, failed with the reason when it raises, stopped when it is.

    A training of the same masks with the same settings that was stopped goes on under its former record. Of several
    processes of one training only the first one's record is stored.

    Args:
        snapshot: That is learned from.
        method: Its name.
        described: The settings on which depends what is learned.
        how: The others, `annotation_backend.learning.models.HOW_IT_RAN`.

    Raises:
        TryAgain: Another training of the study runs (``training-busy``).
        RejectedInput: The disk is full (``fit-disk-full``).
    """
    asked = Run(study=snapshot.study, snapshot=snapshot, method=method, settings={**described, **(how or {})})
    if not is_first():
        yield asked
        return
    with held("run", str(snapshot.study_id)) as holder:
        run = _begun(asked, holder)
        try:
            with full_disk_named():
                yield run
            run.status = RunStatus.DONE
        except Exception as error:
            run.status, run.error = RunStatus.FAILED, told(error)[:1000]
            raise
        except BaseException:
            run.status = RunStatus.STOPPED
            raise
        finally:
            run.ended = timezone.now()
            run.holder = ""
            run.save()
    logger.info("%s gave %s on %s", run, run.model, platform.machine())


def is_running(run: Run) -> bool:
    """Whether the process of a run lives; one that stands as running and whose process is gone has stopped."""
    return run.status == RunStatus.RUNNING and is_present(run.holder)


def end_lost_runs(study: Study) -> int:
    """Notes runs of a study as stopped whose process is gone.

    Returns:
        How many there were.
    """
    lost = [run.pk for run in Run.objects.filter(study=study, status=RunStatus.RUNNING) if not is_running(run)]
    rows = Run.objects.filter(pk__in=lost, status=RunStatus.RUNNING)
    return rows.update(status=RunStatus.STOPPED, ended=timezone.now(), holder="")


def _begun(asked: Run, holder: str) -> Run:
    """The record of a training that begins, or goes on under its former record."""
    end_lost_runs(asked.study)
    rows = Run.objects.filter(snapshot=asked.snapshot, method=asked.method, status=RunStatus.STOPPED).order_by("-pk")
    run = next((one for one in rows if canonical_json(one.asked) == canonical_json(asked.asked)), asked)
    run.settings = asked.settings
    run.status, run.holder, run.error, run.ended = RunStatus.RUNNING, holder, "", None
    run.code, run.environment = code(), environment()
    try:
        with transaction.atomic():
            run.save()
    except IntegrityError as error:
        raise TryAgain(
            "training-busy",
            "Another training of this study is running, and one runs at a time.",
            remedy="Wait until it has ended; the study's page Models shows how long that takes.",
        ) from error
    return run


class Recorder:
    """Writes what a training tells into its record, every now and then; stops it when a patient is withdrawn.

    Args:
        run: The record.
        progress_of: Makes the progress display of each part, which is told as well.
        fits: How many folds are fitted one after the other.
    """

    def __init__(self, run: Run, progress_of: ProgressOf, *, fits: int = 1) -> None:
        self.run = run
        self._progress_of = progress_of
        self._cases = run.snapshot.cases
        self.going = Going(fits, run.progress)
        self._told = self._looked = float("-inf")

    def progress_of(self, what: str) -> Callable[..., None]:
        """A progress display that is recorded.

        Raises:
            RejectedInput: When it is called: a patient of the snapshot was withdrawn (``snapshot-left``).
        """
        show = self._progress_of(what)

        def told(done: int, total: int, loss: float | None = None) -> None:
            self.going.tell(what.removesuffix(": case"), done, total, loss)
            self.look()
            if time.monotonic() - self._told >= TELL_SECONDS:
                self.write()
            if loss is None:
                show(done, total)
            else:
                show(done, total, loss)

        return told

    def look(self) -> None:
        """Asks whether a patient of the snapshot was withdrawn, every few seconds.

        Raises:
            RejectedInput: One was (``snapshot-left``).
        """
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        if gone := withdrawn_of(self._cases):
            raise RejectedInput(
                "snapshot-left",
                f"Withdrawn while a model was trained on them: {', '.join(sorted(gone))}.",
                remedy="No model was registered. Train again on the masks that are approved now.",
            )

    def write(self) -> None:
        """Writes how it goes; a database that does not answer now does not stop a training of hours."""
        self._told = time.monotonic()
        if not self.run.pk:  # another process keeps the record
            return
        self.run.progress = self.going.described()
        try:
            self.run.save(update_fields=["progress", "folds", "figures", "summary", "findings"])
        except DatabaseError as error:
            logger.warning("%s could not be told of (%s)", self.run, type(error).__name__)
