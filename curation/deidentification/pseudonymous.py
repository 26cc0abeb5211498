"""Pseudonyms by a keyed hash: the same original gives the same UID, date shift or name, in every file and every run.

Without the key a pseudonym can neither be reversed nor a guess at the original be confirmed.
"""

import hashlib
import hmac
import uuid

from datasets.errors import ProgramFault

SHORTEST_KEY_BYTES = 16

EARLIEST_SHIFT_DAYS = 365
LATEST_SHIFT_DAYS = 3652
"""Dates move back by one to ten years: into the past, since a date in the future would show the shift; at least a
year, to hide the true year; by whole days, so that intervals stay the same."""

_UUID_ROOT = "2.25."
_UID_USE, _DATE_USE = b"maskloop uid", b"maskloop dates"


def mapped_uid(original: str, key: bytes) -> str:
    """The UID that takes the place of another: ``2.25.`` and a UUID made of the keyed hash, 44 characters at most.

    Source: DICOM PS3.5, B.2 (UUID derived UID); RFC 9562, 5.8 (version 8: the bits are the application's own).
    """
    number = uuid.UUID(bytes=_keyed(key, _UID_USE, original)[:16]).int
    number = number & ~(0xF << 76) | (0x8 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    return f"{_UUID_ROOT}{number}"


def days_moved(patient_code: str, key: bytes) -> int:
    """By how many days a patient's dates move: negative, between -3652 and -365, the same for all of the patient's."""
    span = LATEST_SHIFT_DAYS - EARLIEST_SHIFT_DAYS + 1
    return -(EARLIEST_SHIFT_DAYS + int.from_bytes(_keyed(key, _DATE_USE, patient_code)[:8], "big") % span)


def short_name(mapped: str) -> str:
    """A mapped UID as the 16 hexadecimal digits that name its folder or file."""
    return hashlib.sha256(mapped.encode()).hexdigest()[:16]


def _keyed(key: bytes, use: bytes, value: str) -> bytes:
    if len(key) < SHORTEST_KEY_BYTES:
        raise ProgramFault(
            "key-too-short",
            f"Expected a key of at least {SHORTEST_KEY_BYTES} bytes, got {len(key)}.",
            remedy="Use the installation's key.",
        )
    return hmac.new(key, use + b"\0" + value.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
