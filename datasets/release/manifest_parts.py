"""What the manifests of all schemas share: entries of files, of labels and of the protocol, and the digest of all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any

from datasets.files import canonical_json, sha256_of_bytes
from datasets.release.paths import MANIFEST_NAME

_MEDIA_TYPES = {
    ".gz": "application/gzip",
    ".html": "text/html",
    ".json": "application/json",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".md": "text/markdown",
    ".png": "image/png",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


@dataclass(frozen=True, order=True)
class FileEntry:
    """One file of a release.

    Args:
        path: Relative to the release's folder, with forward slashes.
        sha256: Of its bytes, 64 lower-case hexadecimal digits.
        bytes: Its size.
        media_type: What it is.
    """

    path: str
    sha256: str
    bytes: int
    media_type: str


@dataclass(frozen=True)
class ProtocolEntry:
    """The protocol that the cases were made by.

    Args:
        name: Its name, e.g. ``mstt-199``.
        version: Its version.
        digest: SHA-256 of its document, 64 lower-case hexadecimal digits.
    """

    name: str
    version: int
    digest: str


@dataclass(frozen=True)
class LabelEntry:
    """A value of the masks and the name of its label."""

    value: int
    name: str


class EncodedManifest:
    """The bytes and the digest of a manifest, whatever its schema; a mixin of frozen dataclasses.

    Both are worked out once: of a thousand cases, that is a second of work.
    """

    files: tuple[FileEntry, ...]

    @cached_property
    def release_digest(self) -> str:
        """SHA-256 of the canonical manifest without this digest: names every byte and every source of the release."""
        return sha256_of_bytes(_document(self._texts))

    def encode(self) -> bytes:
        """The bytes of manifest.json."""
        return self._encoded

    def sums(self) -> bytes:
        """The bytes of SHA256SUMS, as `sha256sum -c` reads them: every file and the manifest, sorted by path."""
        digests = {entry.path: entry.sha256 for entry in self.files}
        digests[MANIFEST_NAME] = sha256_of_bytes(self.encode())
        return "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items())).encode()

    @cached_property
    def _encoded(self) -> bytes:
        return _document(self._texts | {"release_digest": _text(self.release_digest)})

    @cached_property
    def _texts(self) -> dict[str, str]:
        """Each field as it stands in the document, so that both documents are put together of the same texts."""
        return {each.name: _text(getattr(self, each.name)) for each in fields(self)}  # type: ignore[arg-type]


def _text(value: Any) -> str:
    """A value as `canonical_json` has it one level deep."""
    return canonical_json(_plain(value)).decode().rstrip("\n").replace("\n", "\n  ")


def _plain(value: Any) -> Any:
    """An entry as an object of its fields; what it holds is plain already."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return vars(value) if is_dataclass(value) else value


def _document(texts: Mapping[str, str]) -> bytes:
    """What `canonical_json` makes of an object with these values."""
    lines = (f"  {json.dumps(name)}: {text}" for name, text in sorted(texts.items()))
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def file_entry(path: str, content: bytes) -> FileEntry:
    """The entry of a file with these bytes; one whose name has no known ending is plain text."""
    suffix = path[path.rfind(".") :]
    return FileEntry(path, sha256_of_bytes(content), len(content), _MEDIA_TYPES.get(suffix, "text/plain"))
