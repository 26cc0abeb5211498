"""Reads a manifest of any schema from bytes that may be anybody's."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from math import isfinite
from typing import Any, NoReturn

from datasets.errors import RejectedInput
from datasets.files import canonical_json
from datasets.release.former_manifest import FORMER_SCHEMA, FormerCaseEntry, FormerManifest
from datasets.release.manifest import (
    MASK,
    SCHEMA,
    CaseEntry,
    FileEntry,
    LabelEntry,
    Manifest,
    ProtocolEntry,
    RoleEntry,
)

AnyManifest = Manifest | FormerManifest


def read_manifest(content: bytes) -> AnyManifest:
    """The manifest in these bytes, not yet verified against the files (`verify`).

    Raises:
        RejectedInput: Not JSON, with not-a-number or repeated keys, or not a manifest of a schema that is known.
    """
    value = strict_json(content)
    read = _READERS.get(str(value.get("schema"))) if isinstance(value, dict) else None
    if read is None:
        _refuse("manifest-schema", f"The manifest is of neither schema {SCHEMA} nor {FORMER_SCHEMA}.")
    try:
        return read(value)
    except (KeyError, TypeError, ValueError):
        _refuse("manifest-shape", "The manifest lacks fields of a release's manifest, or has others.")


def strict_json(content: bytes) -> Any:
    """JSON without not-a-number, infinities, repeated keys and lone surrogates.

    Raises:
        RejectedInput: Anything else.
    """
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        canonical_json(value)
    except (ValueError, RecursionError, MemoryError):
        _refuse("json-unsound", "The file is not JSON of finite numbers and unrepeated keys.")
    return value


def _manifest(value: dict[str, Any]) -> Manifest:
    plain = _exactly(value, Manifest, also={"release_digest"})
    cases = tuple(_case(each) for each in value["cases"])
    labels = tuple(LabelEntry(**_exactly(each, LabelEntry)) for each in value["labels"])
    roles = tuple(RoleEntry(**_exactly(each, RoleEntry)) for each in value["roles"])
    protocol = value["protocol"] and ProtocolEntry(**_exactly(value["protocol"], ProtocolEntry))
    _all_of(str, (*(role.name for role in roles), *(label.name for label in labels)))
    _all_of(int, (label.value for label in labels))
    known = {role.name for role in roles}
    if any(not known.issuperset((*case.images, *case.missing_images)) for case in cases):
        raise ValueError
    parts = {"cases": cases, "labels": labels, "roles": roles, "protocol": protocol or None}
    return Manifest(**plain | parts | _files_and_withdrawn(value, cases))


def _case(value: Any) -> CaseEntry:
    lists = {name: tuple(value[name]) for name in ("images", "missing_images")}
    case = CaseEntry(**_exactly(value, CaseEntry) | lists)
    _all_of(str, (case.drawn_role, *case.images, *case.missing_images))
    if case.drawn_role not in case.images or MASK in case.images or len(set(case.images)) < len(case.images):
        raise ValueError
    return case


def _former(value: dict[str, Any]) -> FormerManifest:
    plain = _exactly(value, FormerManifest, also={"release_digest"})
    cases = tuple(FormerCaseEntry(**_exactly(each, FormerCaseEntry)) for each in value["cases"])
    return FormerManifest(**plain | {"cases": cases} | _files_and_withdrawn(value, cases))


_READERS: Mapping[str, Callable[[dict[str, Any]], AnyManifest]] = {SCHEMA: _manifest, FORMER_SCHEMA: _former}


def _files_and_withdrawn(
    value: dict[str, Any], cases: tuple[CaseEntry, ...] | tuple[FormerCaseEntry, ...]
) -> dict[str, Any]:
    """What both schemas share, as tuples of values whose types the checks rely on."""
    files = tuple(FileEntry(**_exactly(entry, FileEntry)) for entry in value["files"])
    _all_of(str, (text for case in cases for text in (case.case, case.patient)))
    _all_of(str, (text for entry in files for text in (entry.path, entry.sha256, entry.media_type)))
    _all_of(int, (entry.bytes for entry in files))
    _all_of(str, value["withdrawn"])
    return {"files": files, "withdrawn": tuple(value["withdrawn"])}


def _exactly(value: Any, kind: Any, *, also: Iterable[str] = ()) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    if set(value) != names | set(also):
        raise KeyError
    return {name: value[name] for name in names}


def _all_of(kind: type, values: Iterable[Any]) -> None:
    if not all(type(value) is kind for value in values):
        raise TypeError


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError
    return number


def _refuse(code: str, message: str) -> NoReturn:
    raise RejectedInput(code, message, remedy="Fetch the release again from its publisher.")
