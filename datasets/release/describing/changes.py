"""The change log of a release: what is added, corrected and withdrawn since the version before, in people's words.

`ReleaseChanges` is a value: it is computed from the manifests of both versions, and whoever knows more of a version,
such as an erratum or a comparison of voxels, gives the reasons of `ReleaseSettings` or makes the value itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes
from datasets.release.manifest import CaseEntry, Manifest
from datasets.release.manifest_reading import AnyManifest, read_manifest, strict_json
from datasets.release.paths import CHANGES_DOCUMENT_NAME, MANIFEST_NAME, MASK, SPLITS_NAME
from datasets.release.settings import ReleaseSettings

SCHEMA = "maskloop-changes/1"

_MOST_NAMED = 20
"""Codes that a line of the log names; `changes.json` has all."""

_WORDS = {
    "tissue_type": "tissue type",
    "anatomical_site": "anatomical site",
    "quality_score": "quality score",
    "drawn_role": "drawn image",
    "unannotated_slices": "slices that nobody drew on",
    "shape": "grid",
    "spacing_mm": "grid",
}


@dataclass(frozen=True)
class CaseChange:
    """A case that was corrected or withdrawn.

    Args:
        case: Its code.
        parts: What of it changed: ``mask``, roles of images, or other words; () for a withdrawn one.
        reason: Why, in one line; empty where nobody said it.
    """

    case: str
    parts: tuple[str, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        parts = f" ({', '.join(self.parts)})" if self.parts else ""
        return f"{self.case}{parts}{': ' + self.reason.rstrip('.') if self.reason else ''}."


@dataclass(frozen=True)
class ReleaseChanges:
    """What a version changed.

    Args:
        version: The version.
        since: The version that it is compared with; None for the first.
        published: Year or day, where the publisher said it.
        is_compared: Whether that version was at hand.
        added: Codes of cases that are new.
        corrected: Cases whose images, mask or words are others.
        redescribed: Codes of cases of which only the record says more or other than before.
        withdrawn: Cases that must not be used any more.
        left_out: Codes of cases that are no longer there, and not withdrawn.
        texts: What else is another: licence, labels, images, protocol, folds.
    """

    version: str
    since: str | None = None
    published: str = ""
    is_compared: bool = True
    added: tuple[str, ...] = ()
    corrected: tuple[CaseChange, ...] = ()
    redescribed: tuple[str, ...] = ()
    withdrawn: tuple[CaseChange, ...] = ()
    left_out: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each kind of change, or for each case that was corrected or withdrawn."""
        return tuple(self._sentences()) or ("Texts and tables only.",)

    def _sentences(self) -> Iterator[str]:
        if self.since is None:
            yield "First version."
        elif not self.is_compared:
            yield f"Follows version {self.since}; what changed since then was not recorded."
        yield from (f"Withdrawn: {case}" for case in self.withdrawn)
        yield from (f"Corrected: {case}" for case in self.corrected)
        if self.added:
            yield f"Added: {_named(self.added)}."
        if self.left_out:
            yield f"No longer in it, and not withdrawn: {_named(self.left_out)}."
        if self.redescribed:
            yield f"Records that say more or other than before: {_named(self.redescribed)}."
        if self.texts:
            yield f"Changed for all cases: {', '.join(self.texts)}."


def changes_since(
    earlier: AnyManifest | None, settings: ReleaseSettings, entries: Sequence[CaseEntry], *, splits: bytes
) -> ReleaseChanges:
    """Compares a release that is being built with an earlier version.

    Args:
        earlier: The manifest of that version; of a former schema, cases are compared by their codes alone. None where
            there is none at hand.
        settings: Of the release that is being built.
        entries: Its cases.
        splits: The bytes of its splits.json.
    """
    said: dict[str, Any] = {"version": settings.version, "published": settings.publication.published}
    if earlier is None:
        return ReleaseChanges(**said, since=settings.follows, is_compared=False)
    before = {case.case: case for case in earlier.cases}
    known = {entry.case: next((code for code in _codes(entry) if code in before), None) for entry in entries}
    withdrawn = sorted(set(settings.withdrawn) - set(earlier.withdrawn))
    gone = set(before) - set(known.values()) - set(withdrawn)
    pairs = [(before[code], entry) for entry in entries if (code := known[entry.case]) is not None]
    others = [
        (old, entry) for old, entry in pairs if isinstance(old, CaseEntry) and old.fingerprint != entry.fingerprint
    ]
    changed = [(entry.case, changed_parts(old, entry)) for old, entry in others]
    return ReleaseChanges(
        **said,
        since=earlier.version,
        added=tuple(sorted(code for code, former in known.items() if former is None)),
        corrected=tuple(_change(code, settings, parts) for code, parts in changed if parts),
        redescribed=tuple(code for code, parts in changed if not parts),
        withdrawn=tuple(_change(code, settings) for code in withdrawn),
        left_out=tuple(sorted(gone)),
        texts=_changed_texts(earlier, settings, splits),
    )


def former_manifest(folder: Path | None) -> AnyManifest | None:
    """The manifest of an earlier version; None where there is none that can be believed."""
    try:
        content = (folder / MANIFEST_NAME).read_bytes() if folder else b""
        manifest = read_manifest(content)
    except (OSError, RejectedInput):
        return None
    return manifest if manifest.encode() == content else None


def former_changes(folder: Path | None) -> tuple[ReleaseChanges, ...]:
    """The change log of an earlier version, newest first; () where it has none that can be read."""
    try:
        value = strict_json((folder / CHANGES_DOCUMENT_NAME).read_bytes()) if folder else {}
        return tuple(_from_document(each) for each in value["versions"]) if value.get("schema") == SCHEMA else ()
    except (OSError, RejectedInput, AttributeError, KeyError, TypeError):
        return ()


def change_log(changes: Sequence[ReleaseChanges]) -> bytes:
    """The bytes of CHANGES, in the form of CPAN's change logs that BIDS asks for.

    Args:
        changes: Newest first.
    """
    parts = []
    for each in changes:
        parts.append(f"{each.version} {each.published}".rstrip())
        parts += [f"  - {sentence}" for sentence in each.sentences]
    return ("\n".join(parts) + "\n").encode()


def change_document(changes: Sequence[ReleaseChanges]) -> bytes:
    """The bytes of changes.json.

    Args:
        changes: Newest first.
    """
    return canonical_json({"schema": SCHEMA, "versions": [asdict(each) for each in changes]})


def _change(code: str, settings: ReleaseSettings, parts: tuple[str, ...] = ()) -> CaseChange:
    return CaseChange(code, parts, settings.reasons.get(code, ""))


def _codes(entry: CaseEntry) -> tuple[str, ...]:
    return (entry.case, *entry.former_codes)


def changed_parts(old: CaseEntry, new: CaseEntry) -> tuple[str, ...]:
    """The mask, the images and the words of a case that are others, as the change log calls them."""
    images = [
        role for role in dict.fromkeys((*old.images, *new.images)) if old.voxels.get(role) != new.voxels.get(role)
    ]
    mask = [MASK] if old.voxels.get(MASK) != new.voxels.get(MASK) else []
    words = [word for name, word in _WORDS.items() if _listed(getattr(old, name)) != _listed(getattr(new, name))]
    return tuple(dict.fromkeys((*mask, *(f"image {role}" for role in images), *words)))


def _listed(value: object) -> object:
    """A manifest that was read has lists where one that is being written has tuples."""
    return list(value) if isinstance(value, tuple) else value


def _changed_texts(earlier: AnyManifest, settings: ReleaseSettings, splits: bytes) -> tuple[str, ...]:
    found = ["licence"] if earlier.licence != settings.licence else []
    if isinstance(earlier, Manifest):
        labels = {label.value: label.name for label in earlier.labels}
        roles = [(role.name, role.title, role.kind) for role in earlier.roles]
        found += ["labels"] if labels != dict(settings.labels) else []
        found += ["images"] if roles != [(role.name, role.title, role.kind) for role in settings.roles] else []
        found += ["protocol"] if earlier.protocol != settings.protocol else []
    folds = {file.sha256 for file in earlier.files if file.path == SPLITS_NAME}
    return (*found, *(["suggested folds"] if folds != {sha256_of_bytes(splits)} else []))


def _named(codes: Sequence[str]) -> str:
    left = len(codes) - _MOST_NAMED
    return ", ".join(codes[:_MOST_NAMED]) + (f" and {left} more" if left > 0 else "")


def _from_document(value: Mapping[str, Any]) -> ReleaseChanges:
    """The changes that `asdict` gave.

    Raises:
        KeyError: A part is missing.
        TypeError: A part is unknown, or no list of texts.
    """
    changed = {name: tuple(_case_change(each) for each in value[name]) for name in ("corrected", "withdrawn")}
    lists = {name: _texts(value[name]) for name in ("added", "redescribed", "left_out", "texts")}
    found = ReleaseChanges(**{**value, **changed, **lists})
    _texts([found.version, found.published, *([] if found.since is None else [found.since])])
    return found


def _case_change(value: Mapping[str, Any]) -> CaseChange:
    found = CaseChange(**{**value, "parts": _texts(value["parts"])})
    _texts([found.case, found.reason])
    return found


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    if not all(isinstance(value, str) and value.isprintable() for value in values):
        raise TypeError
    return tuple(str(value) for value in values)
