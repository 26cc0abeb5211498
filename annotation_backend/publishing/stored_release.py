"""A release's files as they lie on the disk, compared with its own lists before anything of them is shown or sent.

The result of a comparison is kept beside the releases, with the time, size and place on the disk of every file: as long
as those are the same, the release is not read again. `manage.py check_data` reads everything.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from django.conf import settings

from annotation_backend.cases.stored.digests import DamagedFile
from annotation_backend.publishing.models import Release
from datasets.archives.zip_writing import ArchivedFile
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file, write_json
from datasets.finding import Finding, Level
from datasets.release.manifest_reading import AnyManifest, read_manifest
from datasets.release.paths import MANIFEST_NAME
from datasets.release.verification.fault import fault
from datasets.release.verification.lists import read_listing
from datasets.release.verification.tree import read_tree
from datasets.release.verify import VerificationReport, finding_of, verify_release

logger = logging.getLogger(__name__)

CARD = "README.md"

REMEDY = "Restore the release's folder from the backup of the data folder, or build the release again."

FINDINGS_SHOWN = 20


_one_at_a_time = Lock()
"""Several downloads that begin at once read the release once."""


@dataclass(frozen=True)
class CheckedRelease:
    """Result of comparing a release with its lists.

    Args:
        signature: Digest of the files' names, times, sizes and places on the disk.
        findings: Damage; empty for a sound release.
        checksums: CRC-32 of each file by its path in the release; empty for a damaged one, and until they are needed.
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


def checksums_of(release: Release) -> Mapping[str, int]:
    """CRC-32 of each of the release's files by its path, which an archive needs before its first byte.

    Raises:
        DamagedFile: Something of it is not as it was published (``release-damaged``).
    """
    found = checked(release)
    if found.findings:
        raise damaged(release, found.findings)
    return found.checksums or _with_checksums(release, found).checksums


def remember(release: Release, report: VerificationReport) -> None:
    """Keeps the result of a verification of the release as it lies there now."""
    _keep(release, CheckedRelease(_signature(release.path), report.findings, {}))


def seen_manifest(release: Release) -> AnyManifest | None:
    """The manifest of a release that was found sound and was not touched since; None of any other."""
    known = _remembered(release, _signature(release.path))
    if known is None or known.findings:
        return None
    manifest = read_manifest((release.path / MANIFEST_NAME).read_bytes())
    return manifest if manifest.release_digest == release.digest else None


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
        return (finding_of(fault("release-missing", "The release's folder is missing.")),)
    tree = read_tree(release.path)
    listing = read_listing(release.path, tree)
    faults = [*tree.faults, *listing.faults]
    if listing.manifest is None or listing.manifest.release_digest != release.digest:
        faults.append(fault("release-digest", "The manifest is not the one that was published.", subject=MANIFEST_NAME))
    for name, expected in (listing.files or {}).items():
        if tree.files.get(name) is None:
            faults.append(fault("file-missing", "This file is missing.", subject=name))
        elif expected.bytes not in (None, tree.files[name]) or (name == CARD and _differs(release, expected.sha256)):
            faults.append(fault("file-changed", "The file is not the one that was published.", subject=name))
    return tuple(map(finding_of, faults))


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
    found = CheckedRelease(signature, report.findings, {})
    if found.findings:
        logger.error("release %s is damaged: %s", release.pk, ", ".join(each.code for each in found.findings[:5]))
    _keep(release, found)
    return found


def _with_checksums(release: Release, found: CheckedRelease) -> CheckedRelease:
    """The result with the files' checksums, which only an archive asks for.

    Raises:
        DamagedFile: A file cannot be read (any more).
    """
    try:
        files = read_tree(release.path).files.items()
        checksums = {name: ArchivedFile(release.path / name, name, size).with_checksum().crc32 for name, size in files}
    except OSError as problem:
        finding = finding_of(fault("file-unreadable", f"A file cannot be read ({type(problem).__name__})."))
        raise damaged(release, (finding,)) from problem
    if _signature(release.path) != found.signature:
        raise damaged(release, (finding_of(fault("file-changed", "A file was changed while it was read.")),))
    found = replace(found, checksums=checksums)
    _keep(release, found)
    return found


def _keep(release: Release, found: CheckedRelease) -> None:
    values = {"signature": found.signature, "digest": release.digest}
    write_json(_place(release), values | {"findings": _plain(found), "checksums": found.checksums})


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
