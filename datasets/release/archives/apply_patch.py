#!/usr/bin/env python3
"""Makes a version of a release out of the one before and this patch. It needs Python 3.8 or newer and nothing else.

    python3 apply_patch.py ../thigh-tumours-1.0.0    writes the new version beside it

The former version is read and never changed. Every file is compared with its digest before the new folder gets its
name; interrupted, the script goes on when it is run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent

_PORTION_BYTES = 1 << 20
_INTERRUPTED = 130
_SAFE_PATH = re.compile(r"(?:\.bidsignore|[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*)")
_NOT_WHOLE = "The patch is not whole. Unpack it again."
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class _Refused(Exception):
    """Why nothing was made."""


def main(arguments: list[str], home: Path = HOME) -> int:
    """Reads the command line, and makes the new version.

    Args:
        arguments: Behind the script's name.
        home: The patch's folder.

    Returns:
        The exit status: 0 done, 1 refused, 130 interrupted.
    """
    parser = argparse.ArgumentParser(description="Makes a version of a release out of the one before and this patch.")
    parser.add_argument("former", type=Path, help="the folder of the version before")
    parser.add_argument("new", type=Path, nargs="?", help="the folder that is made (default: beside the former one)")
    given = parser.parse_args(arguments)
    try:
        new = apply_patch(home, given.former.resolve(), given.new)
    except _Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    except OSError as problem:
        sys.stderr.write(f"A file cannot be read or written: {problem.strerror or type(problem).__name__}.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. The same command goes on.\n")
        return _INTERRUPTED
    sys.stdout.write(
        f"{new.name} is the release as it was published. To read it to the last voxel: python3 verify.py\n"
    )
    return 0


def apply_patch(home: Path, former: Path, new: Path | None) -> Path:
    """Makes the new version, whole or not at all; returns its folder."""
    patch = _json(home / "patch.json", _NOT_WHOLE)
    title = _text(patch, "new", "title")
    if not _SAFE_NAME.fullmatch(title):
        raise _Refused(_NOT_WHOLE)
    wanted = _wanted(home / "files", patch)
    known = _known(former, patch)
    place = (new or former.parent / title).resolve()
    if place.exists():
        raise _Refused(f"{place.name} is there already. Name another folder, or verify that one.")
    if {former, home} & {place, *place.parents}:
        raise _Refused("The new version would lie inside the former one or the patch. Name another folder.")
    part = place.with_name(f".part-{place.name}")
    for path, digest in sorted(wanted.items()):
        make(part / path, digest, home / "files" / path, former / known[digest] if digest in known else None)
    _take_out_others(part, wanted)
    part.rename(place)
    return place


def _wanted(files: Path, patch: dict[str, Any]) -> dict[str, str]:
    """SHA-256 of each file of the new version by its path."""
    refusal = "The patch is not whole: its manifest is another one. Unpack it again."
    manifest = _json(files / "manifest.json", refusal)
    digest = _sha256(files / "manifest.json")
    if digest != _text(patch, "new", "manifest_sha256"):
        raise _Refused(refusal)
    wanted = dict(_entries(manifest, refusal))
    wanted["manifest.json"] = digest
    sums = "".join(f"{each}  {path}\n" for path, each in sorted(wanted.items())).encode("utf-8", "replace")
    wanted["SHA256SUMS"] = hashlib.sha256(sums).hexdigest()
    if not all(map(_SAFE_PATH.fullmatch, wanted)):
        raise _Refused("The patch names a path that leads out of the release.")
    return wanted


def _known(former: Path, patch: dict[str, Any]) -> dict[str, str]:
    """A path in the former version by the SHA-256 of the file there."""
    title, digest = _text(patch, "former", "title"), _text(patch, "former", "digest")
    manifest = _json(former / "manifest.json", f"There is no release in this folder. Give the folder of {title}.")
    if manifest.get("release_digest") != digest:
        raise _Refused(f"This patch is for {title} of digest {digest}; another release lies there.")
    entries = _entries(manifest, f"The manifest of {title} was changed. Verify it, and fetch it again.")
    return {digest: path for path, digest in entries if _SAFE_PATH.fullmatch(path)}


def _entries(manifest: dict[str, Any], refusal: str) -> list[tuple[str, str]]:
    """Path and SHA-256 of each file that a manifest lists."""
    try:
        entries = [(entry["path"], entry["sha256"]) for entry in manifest["files"]]
    except (KeyError, TypeError, IndexError):
        raise _Refused(refusal) from None
    if not all(isinstance(word, str) for entry in entries for word in entry):
        raise _Refused(refusal)
    return entries


def _text(patch: dict[str, Any], version: str, name: str) -> str:
    """What the patch says of one of the two versions; signs that terminals obey are no part of it."""
    said = patch.get(version)
    text = said.get(name) if isinstance(said, dict) else None
    if not isinstance(text, str) or not text.isprintable():
        raise _Refused(_NOT_WHOLE)
    return text


def _take_out_others(part: Path, wanted: dict[str, str]) -> None:
    """Removes what an earlier run left of another version, so that the release has its own files alone."""
    for path in sorted(part.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(part).as_posix() not in wanted:
            path.unlink()


def make(target: Path, digest: str, patched: Path, former: Path | None) -> None:
    """Copies a file from the patch or the former version, and compares it with its digest."""
    if target.is_file() and not target.is_symlink() and _sha256(target) == digest:
        return
    source = patched if patched.is_file() else former
    if source is None or not source.is_file():
        raise _Refused(f"{target.name} is neither in the patch nor in the former version. Verify both.")
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink():
        target.unlink()
    shutil.copyfile(source, target)
    if _sha256(target) != digest:
        where = "patch" if source == patched else "former version"
        raise _Refused(f"{target.name} in the {where} is not as it was published. Verify it, and fetch it again.")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while True:
            portion = stream.read(_PORTION_BYTES)
            if not portion:
                return digest.hexdigest()
            digest.update(portion)


def _json(path: Path, refusal: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise _Refused(refusal) from None
    if not isinstance(value, dict):
        raise _Refused(refusal)
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
