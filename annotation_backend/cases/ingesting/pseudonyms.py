"""Pseudonyms: the same hospital identifier gives the same patient code, and nobody can go back without the key."""

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from django.conf import settings

from annotation_backend.cases.models import Case, Patient
from annotation_backend.studies.models import Study

_KEY_BYTES = 32
_PRIVATE_MODE = 0o600
_CODE_USE = "patient code outside this installation: "
_CODE_DIGITS = 12
_NUMBER = re.compile(r"\d+")


def patient_of(study: Study, patient_key: str) -> Patient:
    """A study's patient behind a hospital identifier; made when new.

    Args:
        study: The study, in which a person has a code of their own.
        patient_key: The identifier as the studies carry it; it is hashed here and goes no further.
    """
    pseudonym = pseudonym_of(patient_key)
    patient = Patient.objects.filter(study=study, pseudonym=pseudonym).first()
    return patient or Patient.objects.create(study=study, code=next_code(study, Patient), pseudonym=pseudonym)


def pseudonym_of(patient_key: str) -> str:
    """Keyed hash of a hospital identifier, in 64 hexadecimal digits; makes no record.

    An identifier may be a folder's name in another encoding than UTF-8, whose bytes Python keeps as surrogates.
    """
    name = patient_key.strip().encode(errors="surrogateescape")
    return hmac.new(installation_key(), name, hashlib.sha256).hexdigest()


def outside_code(patient_key: str) -> str:
    """The code of a patient in studies that leave, e.g. ``D3F0A9C1B7E52``; the same in every run, and no record.

    It is not the patient's code here (``P0007``), so that nobody outside can tell the two sets of codes to be one.
    """
    return "D" + pseudonym_of(_CODE_USE + patient_key.strip())[:_CODE_DIGITS].upper()


def next_code(study: Study, kind: type[Patient] | type[Case]) -> str:
    """The next free code of a study's patients or cases, e.g. ``P0007``."""
    newest = kind.objects.filter(study=study).order_by("pk").last()
    number = int(_NUMBER.findall(newest.code)[-1]) if newest else 0
    return study.code("P" if kind is Patient else "C", number + 1)


def installation_key() -> bytes:
    """This installation's key, drawn at first use; it never leaves the data folder."""
    path = Path(settings.DATA_FOLDER) / "pseudonym.key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_MODE)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(secrets.token_bytes(_KEY_BYTES))
    return path.read_bytes()
