"""People's numbers in Label Studio, stored once and never removed, because annotations are attributed by them."""

import os
import string
from collections.abc import Mapping

from django.db import transaction
from django.db.models import Q

from annotation_backend.accounts.models import User
from annotation_backend.accounts.services import first_role
from annotation_backend.environment import password_variable
from annotation_backend.labeling.models import Annotation, LabelingProject, LabelingTask
from annotation_backend.labeling.project.tabs import ensure_tabs
from annotation_backend.labeling.saves.store import lock_cases, settled
from annotation_backend.labeling.studio.answers import sound_rows_of
from annotation_backend.labeling.studio.client import call
from annotation_backend.labeling.studio_server.accounts import sign_up
from datasets.finding import Finding, Level


def ensure_people() -> list[Finding]:
    """Gives the first accounts one in Label Studio (same address and password), notes everyone's number there, and
    makes the tab of each annotator.

    A person who left keeps the number, so that their annotations stay theirs; one who was removed gets no account.

    Returns:
        Numbers there that do not fit the people here; they are left as they were noted.
    """
    known, others = _numbers()
    for user in User.objects.filter(is_active=True) if not others else ():  # one of them may be who is missing
        role = first_role(user)
        if role is not None and _spelt(user.email) not in known:
            sign_up(user, os.environ[password_variable(role.value)])
            known, others = _numbers()
    findings = [found for user in User.objects.order_by("pk") if (found := note_number(user, known))]
    if others:
        findings.append(_odd(others))
    for project in LabelingProject.objects.filter(is_retired=False):
        ensure_tabs(project)
    return findings


def _numbers() -> tuple[dict[str, int], int]:
    """Label Studio's number of everybody in its organisation, by address in small letters, and how many rows of its
    list are nobody; of two accounts whose addresses differ in capitals, that of the one without."""
    rows, others = sound_rows_of(call("GET", "/api/users/"), id=int, email=str)
    rows.sort(key=lambda row: row["email"] == _spelt(row["email"]))
    return {_spelt(row["email"]): row["id"] for row in rows}, others


def _spelt(email: str) -> str:
    """An address in small letters. Letters that merely look like others when they are made small (a long s, the sign
    of the kelvin) stay: anybody in Label Studio can make an account under such an address."""
    return email.translate(_SMALL)


_SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def _odd(rows: int) -> Finding:
    return Finding(
        Level.WARNING,
        "label-studio-answer",
        f"Label Studio's list of people has {rows} row(s) without a number or an address; nobody was signed up.",
        "Does a proxy answer in its place? See data/logs/label_studio.log.",
    )


def note_number(user: User, known: Mapping[str, int]) -> Finding | None:
    """Stores an unused number for a person who has none; the annotations under it become that person's."""
    number = known.get(_spelt(user.email))
    if number is None or number == user.label_studio_id:
        return None
    if user.label_studio_id is not None or User.objects.filter(label_studio_id=number).exists():
        return _other_number(user, number)
    with transaction.atomic():
        drew = Annotation.objects.filter(Q(updated_by=number) | Q(completed_by=number)).order_by().values("task")
        lock_cases(LabelingTask.objects.filter(pk__in=drew))
        tasks = LabelingTask.objects.filter(pk__in=drew).select_related("case").select_for_update(of=("self",))
        with settled(*tasks.order_by("pk")):
            User.objects.filter(pk=user.pk).update(label_studio_id=number)
    return None


def _other_number(user: User, number: int) -> Finding:
    return Finding(
        Level.WARNING,
        "label-studio-number",
        f"Label Studio has account {number} under the address of {user}, who was account {user.label_studio_id or '-'} "
        "before, or it is somebody else's here.",
        "Saves of that account count once a data manager names their annotator on the page of findings.",
    )
