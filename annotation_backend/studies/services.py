"""Makes studies, finds the one that is meant, and changes a study's protocol."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import cast

from django.db import transaction

from annotation_backend.accounts.models import User
from annotation_backend.studies.models import MOST_NAME, ProtocolVersion, Study
from annotation_backend.studies.signals import protocol_asked, protocol_changed, study_created
from datasets.errors import RejectedInput
from datasets.finding import Finding
from datasets.study.protocol_document import read_protocol
from datasets.study.shipped_protocols import FIRST, shipped_text

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class FinishedCases(StrEnum):
    """What becomes of cases that are finished, where a later version of the protocol adds a stage behind them."""

    LEAVE = "leave"
    OPEN = "open"


def create_study(name: str, document: str, *, person: User | None = None) -> Study:
    """Makes a study with its protocol; the apps above add what they need (`signals.study_created`).

    Args:
        name: Small letters, digits and hyphens; part of its addresses.
        document: The protocol's TOML document.
        person: Who makes it; None for a command.

    Raises:
        RejectedInput: The name is none (``study-name``) or taken (``study-exists``), or the document has a fault.
    """
    if len(name) > MOST_NAME or not _NAME.fullmatch(name):
        raise RejectedInput(
            "study-name",
            f"A study's name is up to {MOST_NAME} small letters, digits and hyphens, and begins with a letter.",
            remedy="Give a name such as thigh-t1.",
        )
    protocol = read_protocol(document)
    with transaction.atomic():
        if Study.objects.filter(name=name).exists():
            raise RejectedInput(
                "study-exists", "There is a study of this name.", remedy="Give another name, or go on with that study."
            )
        study = Study.objects.create(name=name, document=document, is_first=not Study.objects.exists())
        ProtocolVersion.objects.create(study=study, document=document, digest=protocol.digest, person=person)
        study_created.send(sender=Study, study=study)
    return study


def change_protocol(
    study: Study,
    document: str,
    *,
    person: User | None = None,
    finished: FinishedCases | None = None,
    findings: list[Finding] | None = None,
) -> bool:
    """Gives a study another version of its protocol; what was made under the former one stays.

    Args:
        study: The study.
        document: The protocol's TOML document.
        person: Who changes it; None for a command.
        finished: What becomes of finished cases that were never in a stage which it adds; None where nobody said.
        findings: Takes up what people have to do under the new version.

    Returns:
        Whether it is another than the one in force.

    Raises:
        RejectedInput: The document has a fault, is another protocol (``protocol-other``), is not newer than the one in
            force (``protocol-version-old``), adds stages behind finished cases of which nobody said what becomes
            (``protocol-stage-added``), or would orphan what was drawn, as an app above says.
    """
    protocol, now = read_protocol(document), study.protocol
    if protocol.digest == now.digest:
        return False
    if protocol.name != now.name:
        raise RejectedInput(
            "protocol-other",
            f"The document is the protocol {protocol.name}, and the study has {now.name}.",
            remedy="Make a study of its own for another protocol.",
        )
    if protocol.version <= now.version:
        raise RejectedInput(
            "protocol-version-old",
            f"Expected a version after {now.version}, got {protocol.version}.",
            remedy="Raise the version in the document, so that both can be told apart.",
        )
    with transaction.atomic():
        Study.objects.select_for_update().get(pk=study.pk)
        answers = protocol_asked.send(sender=Study, study=study, protocol=protocol, finished=finished)
        ProtocolVersion.objects.create(study=study, document=document, digest=protocol.digest, person=person)
        study.document = document
        study.save(update_fields=["document"])
        protocol_changed.send(sender=Study, study=study, former=now, person=person, finished=finished)
    if findings is not None:
        findings += [finding for _, answer in answers for finding in cast(Sequence[Finding], answer or ())]
    return True


def find_study(name: str | None) -> Study:
    """The study of a name; without one, the only study there is.

    Raises:
        RejectedInput: There is none of the name (``study-unknown``), none at all (``study-none``), or several and no
            name was given (``study-unsaid``).
    """
    if name:
        found = Study.objects.filter(name=name).first()
        if found is None:
            raise RejectedInput(
                "study-unknown", "There is no study of this name.", remedy="`manage.py list_studies` shows them."
            )
        return found
    studies = list(Study.objects.all()[:2])
    if not studies:
        raise RejectedInput(
            "study-none",
            "There is no study yet.",
            remedy=f"Make one: `manage.py create_study NAME --protocol {FIRST}`.",
        )
    if len(studies) > 1:
        raise RejectedInput(
            "study-unsaid",
            "There are several studies, and none was named.",
            remedy="Name one with --study; `manage.py list_studies` shows them.",
        )
    return studies[0]


def ensure_study(name: str) -> Study:
    """The study of a name; made now, with the protocol of that name that comes along, where there is none.

    Raises:
        RejectedInput: There is no study and no protocol of that name (``protocol-unknown``).
    """
    return Study.objects.filter(name=name).first() or create_study(name, shipped_text(name))
