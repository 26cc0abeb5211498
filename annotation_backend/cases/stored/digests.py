"""Stored files are compared with the digests that were written down for them, whenever they are served.

A small file is read and compared each time. Of a large one the digest is remembered as long as the file keeps its time,
size and place on the disk; `manage.py check_data` remembers nothing and reads everything.
"""

import errno
import logging
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from annotation_backend.cases.models import Case, Damage
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, sha256_of_file
from datasets.pictures.png_file import is_whole_png

logger = logging.getLogger(__name__)

FROM_BACKUP = "Restore the file from the backup of the data folder."

MISSING, CHANGED, UNREADABLE = "stored-file-missing", "stored-file-changed", "stored-file-unreadable"

OWN_CHECKSUMS = "png"
"""In place of the digest of a picture for which none was written down: the file's own checksums are looked at."""

_DIGESTS_REMEMBERED = 20_000


class DamagedFile(RejectedInput):
    """A stored file that is gone, cannot be read, or is not the one that was written; it is not served."""


@dataclass(frozen=True)
class StoredFile:
    """A file whose digest was recorded when it was written.

    Args:
        path: Where it lies, in the data folder.
        sha256: The digest that it must have, or `OWN_CHECKSUMS`.
        what: The file in Maskloop's own names, e.g. "the picture of slice 3 of C0001 (t2)".
        remedy: Advice on how to bring it back.
        case: The case that it belongs to; None for a file of no case.
    """

    path: Path
    sha256: str
    what: str
    remedy: str = FROM_BACKUP
    case: Case | None = None

    @property
    def name(self) -> str:
        """Its path relative to the data folder: codes only."""
        return self.path.relative_to(settings.DATA_FOLDER).as_posix()


def whole_bytes(stored: StoredFile) -> bytes:
    """The content of a small file that is the one that was written.

    Raises:
        DamagedFile: It is not; told once in the log, and shown as a finding until it is whole again.
    """
    try:
        _status(stored.path)
        content = stored.path.read_bytes()
    except OSError as error:
        raise _told(stored, _code_of(error)) from error
    if not _is_as_written(content, stored.sha256):
        raise _told(stored, CHANGED)
    return content


def whole_file(stored: StoredFile) -> Path:
    """The path of a file that is the one that was written; quick where it was compared before and not touched since.

    Raises:
        DamagedFile: As `whole_bytes`.
    """
    try:
        found = _remembered(*_signature(stored.path))
    except OSError as error:
        raise _told(stored, _code_of(error)) from error
    if found != stored.sha256:
        raise _told(stored, CHANGED)
    return stored.path


def compare(stored: StoredFile) -> RejectedInput | None:
    """Reads a file now, whatever is remembered of it; records its damage, or removes the record where it is whole.

    Returns:
        The damage; None for a whole file.
    """
    try:
        is_whole = _is_whole(stored.path, stored.sha256)
    except OSError as error:
        return _told(stored, _code_of(error))
    if not is_whole:
        return _told(stored, CHANGED)
    Damage.objects.filter(file=stored.name).delete()
    return None


def damages(case: Case | None = None) -> list[Damage]:
    """Files that are still damaged, of one case or all; rows of files that are whole again go."""
    rows = Damage.objects.select_related("case") if case is None else case.damages.all()
    return [row for row in rows if not _is_mended(row)]


def forget_damages(case: Case, folder: str) -> None:
    """Removes the damage records of a case's folder whose files were written anew."""
    Damage.objects.filter(case=case, file__startswith=f"cases/{case.code}/{folder}/").delete()


def as_findings(rows: Iterable[Damage]) -> list[dict[str, str]]:
    """Damages as pages and reports show findings."""
    return [{"level": "error", "code": row.code, "message": row.message, "remedy": row.remedy} for row in rows]


def _is_mended(row: Damage) -> bool:
    try:
        signature = _signature(row.path)
        of_its_own = row.sha256 == OWN_CHECKSUMS
        is_whole = _is_whole(row.path, row.sha256) if of_its_own else _remembered(*signature) == row.sha256
    except OSError:
        return False
    if is_whole:
        row.delete()
    return is_whole


def _told(stored: StoredFile, code: str) -> DamagedFile:
    """The refusal; the first time that a file is met so, the log and the findings get it too."""
    found = {
        MISSING: "is gone",
        CHANGED: "was changed: its bytes are not those that were written",
        UNREADABLE: "cannot be read",
    }[code]
    message = f"{stored.what[0].upper()}{stored.what[1:]} {found}."
    values = {"case": stored.case, "sha256": stored.sha256, "code": code, "message": message, "remedy": stored.remedy}
    _, is_new = Damage.objects.update_or_create(file=stored.name, defaults=values)
    if is_new:
        logger.error("%s: %s", stored.name, code)
    return DamagedFile(code, message, remedy=stored.remedy)


def _code_of(error: OSError) -> str:
    return MISSING if isinstance(error, FileNotFoundError | NotADirectoryError) else UNREADABLE


def _is_whole(path: Path, sha256: str) -> bool:
    _status(path)
    return is_whole_png(path.read_bytes()) if sha256 == OWN_CHECKSUMS else sha256_of_file(path) == sha256


def _is_as_written(content: bytes, sha256: str) -> bool:
    return is_whole_png(content) if sha256 == OWN_CHECKSUMS else sha256_of_bytes(content) == sha256


def _status(path: Path) -> os.stat_result:
    """The status of an ordinary file. A pipe in its place would be waited for, and a device read, without end.

    Raises:
        OSError: There is none, or something else is in its place.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "no ordinary file")
    return status


def _signature(path: Path) -> tuple[str, int, int, int]:
    status = _status(path)
    return str(path), status.st_mtime_ns, status.st_size, status.st_ino


@lru_cache(maxsize=_DIGESTS_REMEMBERED)
def _remembered(path: str, _changed_ns: int, _size: int, _inode: int) -> str:
    return sha256_of_file(Path(path))
