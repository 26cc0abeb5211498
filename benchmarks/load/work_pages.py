"""Pages of work with ten thousand cases and fifty people: time at the server, and queries.

Run: ``.venv/bin/python -m benchmarks.load.work_pages [CASES]``; DATABASE_URL names another database, an empty one.
"""

# ruff: noqa: E402

import os
import sys
import tempfile
import time
from statistics import median

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
os.environ.setdefault("DATABASE_URL", f"sqlite:///{tempfile.mkdtemp()}/pages.sqlite3")

import django

django.setup()

from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case, Patient
from annotation_backend.inference.models import InitialMask
from annotation_backend.labeling.models import LabelingProject, LabelingTask
from annotation_backend.registry.models import Model
from annotation_backend.stages.models import AssignedSlice, Assignment, CaseStage
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role
from annotation_backend.studies.services import create_study
from annotation_backend.work.taking.claiming import claim_next
from annotation_backend.work.taking.orders import Order
from datasets.study.shipped_protocols import shipped_text

PEOPLE, SLICES, TIMES = 50, 5, 7


def filled(cases: int) -> tuple[Study, dict[Role, User]]:
    """A study with so many cases, drawn by turns; half of its drawing work and a fifth of its reviews are given out."""
    study = create_study("many", shipped_text("mstt-199"))
    people = []
    for number in range(PEOPLE):
        role = Role.DATA_MANAGER if number == 0 else (Role.RADIOLOGIST, Role.ANNOTATOR)[number % 2]
        person = User.objects.create_user(f"p{number}@hospital.org", label_studio_id=number + 1)
        give_role(study, person, role)
        people.append((role, person))
    numbers = range(1, cases + 1)
    patients = Patient.objects.bulk_create(
        Patient(study=study, code=study.code("P", one), pseudonym=f"{one}") for one in numbers
    )
    rows = Case.objects.bulk_create(
        Case(
            study=study,
            code=study.code("C", one),
            patient=patient,
            tissue_type=("fat", "nerve", "muscle")[one % 3],
            anatomical_site=("thigh", "arm")[one % 2],
            source_sha256=f"{one}",
            images_sha256="x",
        )
        for one, patient in zip(numbers, patients, strict=True)
    )
    project = LabelingProject.objects.create(study=study, label_studio_id=1, title="Many")
    LabelingTask.objects.bulk_create(
        LabelingTask(project=project, case=case, slice_index=index, label_studio_id=case.pk * 10 + index)
        for case in rows
        for index in range(SLICES)
    )
    model = Model.objects.create(name="m", version="1", method="clicks-2d", folder="x", digest="0", prompt_kinds=[])
    InitialMask.objects.bulk_create(
        InitialMask(case=case, slice_index=index, model=model, score=(case.pk * 7 % 97) / 97, bits=b"")
        for case in rows
        for index in range(SLICES)
    )
    stages = CaseStage.objects.bulk_create(
        CaseStage(case=case, stage="annotate" if case.pk % 2 else "review") for case in rows
    )
    annotators = [person for role, person in people if role is Role.ANNOTATOR]
    readers = [person for role, person in people if role is Role.RADIOLOGIST]
    given = [
        Assignment(row=row, person=(annotators if row.stage == "annotate" else readers)[at % 20], how="hand")
        for at, row in enumerate(stages)
        if at % (4 if row.stage == "annotate" else 10) == 0
    ]
    Assignment.objects.bulk_create(given)
    AssignedSlice.objects.bulk_create(
        AssignedSlice(assignment=one, row=one.row, person=one.person, seat=1, slice_index=index)
        for one in given
        for index in range(SLICES)
    )
    Assignment.objects.filter(pk__in=[one.pk for one in given[::3]]).update(state="done", ended_at=now())
    return study, {Role.DATA_MANAGER: people[0][1], Role.ANNOTATOR: annotators[0], Role.RADIOLOGIST: readers[0]}


def measure(client: Client, address: str, form: dict[str, str] | None = None) -> tuple[float, int, int]:
    """Median seconds, queries, and bytes of a page."""
    seconds = []
    for _ in range(TIMES if form is None else 3):
        with CaptureQueriesContext(connection) as queries:
            started = time.perf_counter()
            answer = client.get(address) if form is None else client.post(address, form)
            seconds.append(time.perf_counter() - started)
    if answer.status_code >= 400:
        raise RuntimeError(f"{address}: {answer.status_code}")
    return median(seconds), len(queries), len(answer.content)


def main(cases: int) -> None:
    """Prints a line for each page."""
    call_command("migrate", verbosity=0)
    study, people = filled(cases)
    clients = {role: Client() for role in people}
    for role, client in clients.items():
        client.force_login(people[role])
    table = page_of(study, "work-table")
    pages = [
        (Role.DATA_MANAGER, table, None),
        (Role.DATA_MANAGER, f"{table}?after={study.code('C', cases // 2)}:0", None),
        (Role.DATA_MANAGER, f"{table}?stage=review&site=thigh&tissue=fat&free=on", None),
        (Role.ANNOTATOR, page_of(study, "my-work"), None),
        (Role.RADIOLOGIST, page_of(study, "my-work"), None),
        (Role.RADIOLOGIST, page_of(study, "bulk-verdicts"), None),
        *((Role.ANNOTATOR, page_of(study, "next-slice"), {"order": order}) for order in ("patient",)),
    ]
    for role, address, form in pages:
        seconds, queries, size = measure(clients[role], address, form)
        line = f"{role.value:13} {address:75} {seconds * 1000:7.0f} ms {queries:3} queries {size // 1024:4} KiB"
        sys.stdout.write(f"{line}\n")
    for order in Order:
        person = User.objects.create_user(f"{order}@hospital.org")
        give_role(study, person, Role.ANNOTATOR)
        started = time.perf_counter()
        claim = claim_next(study, person, order=order)
        sys.stdout.write(f"claim by {order.value:13} {(time.perf_counter() - started) * 1000:7.0f} ms: {claim.why}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
