"""The files of a release folder, and those that its two lists (manifest.json and SHA256SUMS) name. Bad content never
raises, and no path that a list names is opened: only regular files that were found in the folder."""

import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes
from datasets.finding import Finding, Level
from datasets.release.manifest import MANIFEST_NAME, SUMS_NAME, FileEntry
from datasets.release.manifest_reading import AnyManifest, read_manifest

LONGEST_LIST_BYTES = 1 << 28
"""A manifest or SHA256SUMS larger than 256 MiB is not read: that would be more than a hundred thousand cases."""

REMEDY = "Fetch the release again from its publisher."

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_SAFE_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SUMS_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^\n]+)\n")


@dataclass(frozen=True)
class Tree:
    """The files in a folder.

    Args:
        files: Size of every regular file by its path in the folder, with forward slashes.
        findings: Links, devices, empty folders and folders that cannot be listed.
    """

    files: Mapping[str, int]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Expected:
    """A file's digest by a list, and its size where the list has one."""

    sha256: str
    bytes: int | None = None


@dataclass(frozen=True)
class Listing:
    """The files and the manifest by a release's lists.

    Args:
        files: Every file that belongs into the folder; None where neither list can be read.
        manifest: The manifest, where it is sound in itself.
        findings: Faults of the lists.
    """

    files: Mapping[str, Expected] | None
    manifest: AnyManifest | None = None
    findings: tuple[Finding, ...] = field(default_factory=tuple)


def error(code: str, message: str, *, subject: str = "", remedy: str = REMEDY) -> Finding:
    """A finding that keeps the release out; names from outside are shown without control characters."""
    return Finding(Level.ERROR, code, message, remedy, printable(subject))


def printable(name: str) -> str:
    """A name for people's eyes: control characters, direction marks and undecodable bytes become escapes."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in name)


def read_tree(folder: Path) -> Tree:
    """Lists the folder without following links or opening anything."""
    files: dict[str, int] = {}
    findings: list[Finding] = []
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(folder / inside) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as problem:
            findings.append(_unlisted(inside, problem))
            continue
        if inside and not found:
            findings.append(error("folder-extra", "The folder is empty.", subject=inside))
        for entry in found:
            _sort_in(
                entry, f"{inside}/{entry.name}" if inside else entry.name, files, waiting=waiting, findings=findings
            )
    return Tree(files, tuple(findings))


def read_listing(folder: Path, tree: Tree) -> Listing:
    """Reads both lists; where they disagree, a manifest that is sound in itself is believed."""
    manifest_bytes = _list_bytes(folder, tree, MANIFEST_NAME)
    sums_bytes = _list_bytes(folder, tree, SUMS_NAME)
    manifest, findings = _judge_manifest(manifest_bytes)
    if manifest is not None and not findings:
        return Listing(_all_files(manifest), manifest)
    listed, sums_findings = _judge_sums(sums_bytes)
    if listed is not None:
        listed.pop(MANIFEST_NAME, None)
        return Listing(listed, None, (*findings, *sums_findings))
    if manifest is not None:
        return Listing(_safe_files(manifest.files), None, (*findings, *sums_findings))
    return Listing(None, None, (*findings, *sums_findings))


def _sort_in(
    entry: "os.DirEntry[str]", path: str, files: dict[str, int], *, waiting: list[str], findings: list[Finding]
) -> None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as problem:
        findings.append(_unlisted(path, problem))
        return
    if stat.S_ISREG(status.st_mode):
        files[path] = status.st_size
    elif stat.S_ISDIR(status.st_mode):
        waiting.append(path)
    elif stat.S_ISLNK(status.st_mode):
        message = "This is a symbolic link; it was not followed."
        findings.append(error("symlink", message, subject=path))
    else:
        message = "This is a device, pipe or socket; it was not opened."
        findings.append(error("not-a-file", message, subject=path))


def _unlisted(path: str, problem: OSError) -> Finding:
    message = f"The folder cannot be listed ({type(problem).__name__})."
    return error("folder-unreadable", message, subject=path or ".", remedy="Give yourself the right to read it.")


def _list_bytes(folder: Path, tree: Tree, name: str) -> bytes | None:
    if tree.files.get(name, LONGEST_LIST_BYTES + 1) > LONGEST_LIST_BYTES:
        return None
    try:
        return (folder / name).read_bytes()
    except OSError:
        return None


def _judge_manifest(content: bytes | None) -> tuple[AnyManifest | None, list[Finding]]:
    """The manifest where it can be read, and its faults."""
    if content is None:
        return None, [error("file-missing", "The file is missing or cannot be read.", subject=MANIFEST_NAME)]
    try:
        manifest = read_manifest(content)
    except RejectedInput as refusal:
        return None, [error(refusal.code, refusal.message, subject=MANIFEST_NAME, remedy=refusal.remedy)]
    findings = _path_findings([entry.path for entry in manifest.files], MANIFEST_NAME)
    if not all(_DIGEST.fullmatch(entry.sha256) for entry in manifest.files):
        message = "A digest is not SHA-256 in 64 lower-case hexadecimal digits."
        findings.append(error("manifest-shape", message, subject=MANIFEST_NAME))
    if manifest.encode() != content:
        message = "The manifest contradicts its own release digest: it was changed."
        findings.append(error("manifest-changed", message, subject=MANIFEST_NAME))
    return manifest, findings


def _judge_sums(content: bytes | None) -> tuple[dict[str, Expected] | None, list[Finding]]:
    """The files of SHA256SUMS where it can be read, and its faults."""
    if content is None:
        return None, [error("file-missing", "The file is missing or cannot be read.", subject=SUMS_NAME)]
    text = content.decode("utf-8", errors="replace")
    lines = _SUMS_LINE.findall(text)
    if not lines or sum(len(digest) + len(path) + 3 for digest, path in lines) != len(text):
        message = "A line is not a digest and a path."
        return None, [error("sums-unreadable", message, subject=SUMS_NAME)]
    findings = _path_findings([path for _, path in lines], SUMS_NAME)
    return {path: Expected(digest) for digest, path in lines if _SAFE_PATH.fullmatch(path)}, findings


def _path_findings(paths: Iterable[str], subject: str) -> list[Finding]:
    """Findings about paths that lead out of the folder, are no plain names, are duplicates, or differ in case only."""
    paths = list(paths)
    findings = [
        error(
            "path-escape", f"Expected plain paths inside the release, got {printable(path)[:120]!r}.", subject=subject
        )
        for path in paths
        if not _SAFE_PATH.fullmatch(path)
    ]
    times = Counter(paths)
    findings += [
        error(
            "path-duplicate",
            f"Expected each path once, got {printable(path)[:120]!r} again.",
            subject=subject,
        )
        for path in times
        if times[path] > 1
    ]
    folded = Counter(unicodedata.normalize("NFC", path).casefold() for path in times)
    findings += [
        error(
            "path-twin", f"Expected paths that differ in more than case, got twins of {path[:120]!r}.", subject=subject
        )
        for path in sorted(map(printable, (path for path in folded if folded[path] > 1)))
    ]
    return findings


def _all_files(manifest: AnyManifest) -> dict[str, Expected]:
    """Every file of a sound manifest's release, its two lists included."""
    files = _safe_files(manifest.files)
    for name, content in ((MANIFEST_NAME, manifest.encode()), (SUMS_NAME, manifest.sums())):
        files[name] = Expected(sha256_of_bytes(content), len(content))
    return files


def _safe_files(entries: Iterable[FileEntry]) -> dict[str, Expected]:
    return {entry.path: Expected(entry.sha256, entry.bytes) for entry in entries if _SAFE_PATH.fullmatch(entry.path)}
