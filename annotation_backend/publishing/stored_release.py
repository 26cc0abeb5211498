"""A release's files as they lie on the disk, compared with its own lists before anything of them is shown or sent.

The result of a comparison is kept beside the releases, with the time, size and place on the disk of every file: as long
as those are the same, the release is not read again. `manage.py check_data` reads everything.
"""

import json
import logging
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from django.conf import settings

from annotation_backend.cases.stored.digests import DamagedFile
from annotation_backend.publishing.archive import Archive, ArchivedFile
from annotation_backend.publishing.models import Release
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file, write_json
from datasets.finding import Finding, Level
from datasets.release.listing import error, read_listing, read_tree
from datasets.release.manifest import MANIFEST_NAME
from datasets.release.verify import verify_release

logger = logging.getLogger(__name__)

CARD = "README.md"

REMEDY = "Restore the release's folder from the backup of the data folder, or build the release again."

FINDINGS_SHOWN = 20

_CHUNK_BYTES = 1 << 20

_one_at_a_time = Lock()
"""Several downloads that begin at once read the release once."""


@dataclass(frozen=True)
class CheckedRelease:
    """Result of comparing a release with its lists.

    Args:
        signature: Digest of the files' names, times, sizes and places on the disk.
        findings: Damage; empty for a sound release.
        checksums: CRC-32 of each file by its path in the release; empty for a damaged one.
    """

    signature: str
    findings: tuple[Finding, ...]
    checksums: dict[str, int]


def checked(release: Release, *, anew: bool = False) -> CheckedRelease:
    """Compares a release with its lists and its record, or takes the earlier result where no file was touched since.

    Args:
        release: The release to check.
        anew: Reads all of it, whatever is remembered.
    """
    with _one_at_a_time:
        signature = _signature(release.path)
        known = None if anew else _remembered(release, signature)
        return known or _compared(release, signature)


def archive_of(release: Release) -> Archive:
    """The release's folder as one ZIP archive, ready to be read from any byte on.

    Raises:
        DamagedFile: Something of it is not as it was published (``release-damaged``).
    """
    found = checked(release)
    if found.findings:
        raise damaged(release, found.findings)
    paths = {name: release.path / name for name in sorted(found.checksums)}
    files = [
        ArchivedFile(path, f"{release}/{name}", path.stat().st_size, found.checksums[name])
        for name, path in paths.items()
    ]
    return Archive(files)


def card_of(release: Release) -> str:
    """The release's dataset card. Of the other files only names and sizes are looked at, so that a page opens at once.

    Raises:
        DamagedFile: Something of the release is not as it was published.
    """
    known = _remembered(release, _signature(release.path))
    findings = known.findings if known else _at_a_glance(release)
    if findings:
        raise damaged(release, findings)
    return (release.path / CARD).read_text(encoding="utf-8")


def _at_a_glance(release: Release) -> tuple[Finding, ...]:
    if not release.path.is_dir():
        return (error("release-missing", "The release's folder is missing."),)
    tree = read_tree(release.path)
    listing = read_listing(release.path, tree)
    findings = [*tree.findings, *listing.findings]
    if listing.manifest is None or listing.manifest.release_digest != release.digest:
        findings.append(
            error("release-digest", "The manifest is not the one that was published.", subject=MANIFEST_NAME)
        )
    for name, expected in (listing.files or {}).items():
        if tree.files.get(name) is None:
            findings.append(error("file-missing", "This file is missing.", subject=name))
        elif expected.bytes not in (None, tree.files[name]) or (name == CARD and _differs(release, expected.sha256)):
            findings.append(error("file-changed", "The file is not the one that was published.", subject=name))
    return tuple(findings)


def _differs(release: Release, expected: str) -> bool:
    try:
        return sha256_of_file(release.path / CARD) != expected
    except OSError:
        return True


def damaged(release: Release, findings: tuple[Finding, ...]) -> DamagedFile:
    """The refusal, with the names of the files and a remedy."""
    named = [f"{finding.subject or 'the folder'} ({finding.code})" for finding in findings[:FINDINGS_SHOWN]]
    more = f" and {len(findings) - len(named)} more" if len(findings) > len(named) else ""
    message = f"{release} is not as it was published; something is wrong with {', '.join(named)}{more}."
    return DamagedFile("release-damaged", message, remedy=REMEDY)


def _compared(release: Release, signature: str) -> CheckedRelease:
    report = verify_release(release.path, expected_digest=release.digest)
    try:
        checksums = {} if report.findings else _checksums(release.path)
    except OSError as problem:
        finding = error("file-unreadable", f"A file cannot be read ({type(problem).__name__}).")
        return CheckedRelease(signature, (finding,), {})
    found = CheckedRelease(signature, report.findings, checksums)
    if found.findings:
        logger.error("release %s is damaged: %s", release.pk, ", ".join(each.code for each in found.findings[:5]))
    values = {"signature": signature, "digest": release.digest, "findings": _plain(found), "checksums": checksums}
    write_json(_place(release), values)
    return found


def _checksums(folder: Path) -> dict[str, int]:
    return {name: _crc32(folder / name) for name in read_tree(folder).files}


def _crc32(path: Path) -> int:
    crc = 0
    with path.open("rb") as stream:
        while portion := stream.read(_CHUNK_BYTES):
            crc = zlib.crc32(portion, crc)
    return crc


def _signature(folder: Path) -> str:
    """Changes with every file that is added, taken away or touched."""
    rows = []
    for name in sorted(read_tree(folder).files) if folder.is_dir() else []:
        status = (folder / name).lstat()
        rows.append([name, status.st_mtime_ns, status.st_size, status.st_ino])
    return sha256_of_bytes(canonical_json(rows))


def _remembered(release: Release, signature: str) -> CheckedRelease | None:
    """The earlier result; None where a file was touched since, or it cannot be read."""
    try:
        values = json.loads(_place(release).read_text(encoding="utf-8"))
        if values["signature"] != signature or values["digest"] != release.digest:
            return None
        findings = tuple(Finding(**{**row, "level": Level(row["level"])}) for row in values["findings"])
        return CheckedRelease(signature, findings, {str(name): int(crc) for name, crc in values["checksums"].items()})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _plain(found: CheckedRelease) -> list[dict[str, Any]]:
    return [{**asdict(finding), "level": finding.level.value} for finding in found.findings]


def _place(release: Release) -> Path:
    return Path(settings.DATA_FOLDER) / "checks" / f"release-{release.pk}.json"
