"""The files that a release's two lists (manifest.json and SHA256SUMS) name.

Bad content never raises, and no path that a list names is opened: only regular files that were found in the folder.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes
from datasets.release.manifest_parts import FileEntry
from datasets.release.manifest_reading import AnyManifest, read_manifest
from datasets.release.paths import IGNORED_NAME, MANIFEST_NAME, SUMS_NAME
from datasets.release.verification.fault import Fault, fault, printable
from datasets.release.verification.tree import Tree

LONGEST_LIST_BYTES = 1 << 28
"""A manifest or SHA256SUMS larger than 256 MiB is not read: that would be more than a hundred thousand cases."""

_LONGEST_NAME, _LONGEST_PATH = 255, 1000
"""Of a file or folder, as all disks have it, and of a path in a release, so that there is room for what lies above."""

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_SAFE_PATH = re.compile(rf"{re.escape(IGNORED_NAME)}|{_PART}(?:/{_PART})*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SUMS_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^\n]+)\n")


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
        faults: Faults of the lists.
    """

    files: Mapping[str, Expected] | None
    manifest: AnyManifest | None
    faults: tuple[Fault, ...]


def read_listing(folder: Path, tree: Tree) -> Listing:
    """Reads both lists; where they disagree, a manifest that is sound in itself is believed."""
    return judge_lists(_list_bytes(folder, tree, MANIFEST_NAME), _list_bytes(folder, tree, SUMS_NAME))


def judge_lists(manifest_bytes: bytes | None, sums_bytes: bytes | None) -> Listing:
    """The files and the manifest by both lists; None for a list that cannot be read."""
    manifest, faults = _judge_manifest(manifest_bytes)
    if manifest is not None and not faults:
        return Listing(_all_files(manifest, manifest_bytes or b""), manifest, ())
    listed, sums_faults = _judge_sums(sums_bytes)
    if listed is not None:
        listed.pop(MANIFEST_NAME, None)
    elif manifest is not None:
        listed = _safe_files(manifest.files)
    return Listing(listed, None, (*faults, *sums_faults))


def folded(path: str) -> str:
    """A path as systems see it that tell neither case nor Unicode's composed and decomposed forms apart."""
    return unicodedata.normalize("NFC", path).casefold()


def _list_bytes(folder: Path, tree: Tree, name: str) -> bytes | None:
    if tree.files.get(name, LONGEST_LIST_BYTES + 1) > LONGEST_LIST_BYTES:
        return None
    try:
        return (folder / name).read_bytes()
    except OSError:
        return None


def _judge_manifest(content: bytes | None) -> tuple[AnyManifest | None, list[Fault]]:
    """The manifest where it can be read, and its faults."""
    if content is None:
        return None, [fault("file-missing", "The file is missing or cannot be read.", subject=MANIFEST_NAME)]
    try:
        manifest = read_manifest(content)
    except RejectedInput as refusal:
        return None, [fault(refusal.code, refusal.message, subject=MANIFEST_NAME, remedy=refusal.remedy)]
    faults = _path_faults([entry.path for entry in manifest.files], MANIFEST_NAME)
    if not all(_DIGEST.fullmatch(entry.sha256) for entry in manifest.files):
        message = "A digest is not SHA-256 in 64 lower-case hexadecimal digits."
        faults.append(fault("manifest-shape", message, subject=MANIFEST_NAME))
    if manifest.encode() != content:
        message = "The manifest contradicts its own release digest: it was changed."
        faults.append(fault("manifest-changed", message, subject=MANIFEST_NAME))
    return manifest, faults


def _judge_sums(content: bytes | None) -> tuple[dict[str, Expected] | None, list[Fault]]:
    """The files of SHA256SUMS where it can be read, and its faults."""
    if content is None:
        return None, [fault("file-missing", "The file is missing or cannot be read.", subject=SUMS_NAME)]
    text = content.decode("utf-8", errors="replace")
    lines = _SUMS_LINE.findall(text)
    if not lines or sum(len(digest) + len(path) + 3 for digest, path in lines) != len(text):
        message = "A line is not a digest and a path."
        return None, [fault("sums-unreadable", message, subject=SUMS_NAME)]
    faults = _path_faults([path for _, path in lines], SUMS_NAME)
    return {path: Expected(digest) for digest, path in lines if _SAFE_PATH.fullmatch(path)}, faults


def _path_faults(paths: Iterable[str], subject: str) -> list[Fault]:
    """Paths that no disk can have: that lead out of the folder, are no plain names, or meet another one."""
    times = Counter(paths)
    twins = Counter(folded(path) for path in times)
    below = [path for path in sorted(times) if any(folder in twins for folder in _folders_of(folded(path)))]
    long = [
        path for path in sorted(times) if max(map(len, path.split("/"))) > _LONGEST_NAME or len(path) > _LONGEST_PATH
    ]
    escaping = [path for path in times.elements() if not _SAFE_PATH.fullmatch(path)]
    return [
        *_each("path-escape", "plain paths inside the release", escaping, subject),
        *_each("path-duplicate", "each path once", [path for path in times if times[path] > 1], subject),
        *_each("path-twin", "paths that differ in more than case", sorted(p for p in twins if twins[p] > 1), subject),
        *_each("path-below-file", "files below folders alone", below, subject),
        *_each("path-long", f"names of at most {_LONGEST_NAME} characters", long, subject),
    ]


def _folders_of(path: str) -> Iterator[str]:
    """The folders above a path, the next one first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _each(code: str, expected: str, paths: Iterable[str], subject: str) -> list[Fault]:
    shown = [printable(path)[:120] for path in paths]
    return [fault(code, f"Expected {expected}, got {path!r}.", subject=subject) for path in shown]


def _all_files(manifest: AnyManifest, encoded: bytes) -> dict[str, Expected]:
    """Every file of a sound manifest's release, its two lists included."""
    files = _safe_files(manifest.files)
    for name, content in ((MANIFEST_NAME, encoded), (SUMS_NAME, manifest.sums())):
        files[name] = Expected(sha256_of_bytes(content), len(content))
    return files


def _safe_files(entries: Iterable[FileEntry]) -> dict[str, Expected]:
    return {entry.path: Expected(entry.sha256, entry.bytes) for entry in entries if _SAFE_PATH.fullmatch(entry.path)}
