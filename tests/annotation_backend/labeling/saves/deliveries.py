"""Webhooks from many threads at once, on the database of DATABASE_URL; prints what became of them as JSON.

python -m tests.annotation_backend.labeling.saves.deliveries
"""

import json
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

THREADS = 8
SAVES = 6


def main() -> None:
    """Sends each save from all threads, the newest first; then asks for the case's assembly once more."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from annotation_backend.job_queue import queue_once
    from annotation_backend.labeling.jobs import assemble_case
    from tests.annotation_backend.support.records import accounts, published, registered_case, save_body

    accounts()
    task = published(registered_case())[2]
    saves = [save_body(task, updated_at=f"2026-11-21T11:00:{second:02d}Z") for second in reversed(range(SAVES))]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = Counter(pool.map(_deliver, [save for save in saves for _ in range(THREADS)]))
    queue_once(assemble_case, case_code=task.case.code)
    sys.stdout.write(json.dumps({"answers": answers, **_found(task.pk)}))


def _deliver(save: dict[str, Any]) -> str:
    from django.db import connection

    from annotation_backend.labeling.saves.store import receive

    try:
        return receive({"action": "ANNOTATION_UPDATED", "annotation": save})
    except Exception as error:
        return repr(error)
    finally:
        connection.close()


def _found(task: int) -> dict[str, Any]:
    from django.db import connection
    from django_tasks_db.models import DBTaskResult

    from annotation_backend.labeling.models import Annotation, ConfirmationOutcome, LabelingTask
    from annotation_backend.labeling.saves.confirm import note

    before = Annotation.objects.current(LabelingTask.objects.get(pk=task))
    for row in Annotation.objects.all():
        note(row, ConfirmationOutcome.CONFIRMED)
    current = Annotation.objects.current(LabelingTask.objects.get(pk=task))
    return {
        "vendor": connection.vendor,
        "rows": Annotation.objects.count(),
        "saved_at": sorted(row.saved_at.second for row in Annotation.objects.all()),
        "believed": before.saved_at.second if before else None,
        "current": current.saved_at.second if current else None,
        "state": LabelingTask.objects.get(pk=task).state,
        "jobs": DBTaskResult.objects.count(),
    }


if __name__ == "__main__":
    main()
