"""Reads a manifest of any schema from bytes that may be anybody's."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from math import isfinite
from typing import Any, NoReturn, Union

from datasets.errors import RejectedInput
from datasets.release.manifest import SCHEMA, CaseEntry, Manifest, RoleEntry
from datasets.release.manifest_1 import SCHEMA_1, CaseEntry1, Manifest1
from datasets.release.manifest_2 import SCHEMA_2, CaseEntry2, Manifest2, RoleEntry2
from datasets.release.manifest_parts import FileEntry, LabelEntry, ProtocolEntry
from datasets.release.paths import MASK

AnyManifest = Union[Manifest, Manifest2, Manifest1]  # noqa: UP007  # for Python 3.9, in verify.py

AnyCase = Union[CaseEntry, CaseEntry2, CaseEntry1]  # noqa: UP007


def read_manifest(content: bytes) -> AnyManifest:
    """The manifest in these bytes, not yet verified against the files (`verify`).

    Raises:
        RejectedInput: Not JSON, with not-a-number or repeated keys, or not a manifest of a schema that is known.
    """
    value = strict_json(content)
    read = _READERS.get(str(value.get("schema"))) if isinstance(value, dict) else None
    if read is None:
        _refuse("manifest-schema", f"The manifest is of none of the schemas {SCHEMA_1} to {SCHEMA}.")
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
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError, MemoryError):
        _refuse("json-unsound", "The file is not JSON of finite numbers and unrepeated keys.")
    return value


def _manifest(value: dict[str, Any]) -> Manifest:
    cases = tuple(_case(each) for each in value["cases"])
    roles = tuple(RoleEntry(**_exactly(each, RoleEntry)) for each in value["roles"])
    _all_of(str, (text for role in roles for text in (role.name, role.title, role.kind)))
    parts = _labels_and_protocol(value, cases, {role.name for role in roles})
    plain = _exactly(value, Manifest, also={"release_digest"})
    return Manifest(**plain | {"cases": cases, "roles": roles} | parts | _files_and_withdrawn(value, cases))


def _case(value: Any) -> CaseEntry:
    lists = {name: tuple(value[name]) for name in ("missing_images", "former_codes")}
    _all_of(dict, (value["images"], value["voxels"]))
    case = CaseEntry(**_exactly(value, CaseEntry) | lists)
    _all_of(str, (case.drawn_role, case.mask, case.record, case.fingerprint, *lists["missing_images"]))
    _all_of(str, (*lists["former_codes"], *case.images, *case.images.values(), *case.voxels, *case.voxels.values()))
    if case.drawn_role not in case.images or MASK in case.images:
        raise ValueError
    return case


def _manifest_2(value: dict[str, Any]) -> Manifest2:
    cases = tuple(_case_2(each) for each in value["cases"])
    roles = tuple(RoleEntry2(**_exactly(each, RoleEntry2)) for each in value["roles"])
    parts = _labels_and_protocol(value, cases, {role.name for role in roles})
    plain = _exactly(value, Manifest2, also={"release_digest"})
    return Manifest2(**plain | {"cases": cases, "roles": roles} | parts | _files_and_withdrawn(value, cases))


def _case_2(value: Any) -> CaseEntry2:
    lists = {name: tuple(value[name]) for name in ("images", "missing_images")}
    case = CaseEntry2(**_exactly(value, CaseEntry2) | lists)
    _all_of(str, (case.drawn_role, *case.images, *case.missing_images))
    if case.drawn_role not in case.images or MASK in case.images or len(set(case.images)) < len(case.images):
        raise ValueError
    return case


def _labels_and_protocol(
    value: dict[str, Any], cases: tuple[CaseEntry, ...] | tuple[CaseEntry2, ...], roles: set[str]
) -> dict[str, Any]:
    """What schemas 2 and 3 share."""
    labels = tuple(LabelEntry(**_exactly(each, LabelEntry)) for each in value["labels"])
    protocol = value["protocol"] and ProtocolEntry(**_exactly(value["protocol"], ProtocolEntry))
    _all_of(str, (*roles, *(label.name for label in labels)))
    _all_of(int, (label.value for label in labels))
    if any(not roles.issuperset((*case.images, *case.missing_images)) for case in cases):
        raise ValueError
    return {"labels": labels, "protocol": protocol or None}


def _manifest_1(value: dict[str, Any]) -> Manifest1:
    plain = _exactly(value, Manifest1, also={"release_digest"})
    cases = tuple(CaseEntry1(**_exactly(each, CaseEntry1)) for each in value["cases"])
    return Manifest1(**plain | {"cases": cases} | _files_and_withdrawn(value, cases))


_READERS: Mapping[str, Callable[[dict[str, Any]], AnyManifest]] = {
    SCHEMA: _manifest,
    SCHEMA_2: _manifest_2,
    SCHEMA_1: _manifest_1,
}


def _files_and_withdrawn(value: dict[str, Any], cases: tuple[AnyCase, ...]) -> dict[str, Any]:
    """What all schemas share, as tuples of values whose types the checks rely on."""
    _all_of(
        str,
        (value["name"], value["version"], value["licence"], *(each for each in [value["follows"]] if each is not None)),
    )
    _all_of(str, (text for case in cases for text in (case.tissue_type, case.anatomical_site)))
    _all_of(bool, (case.mask_empty for case in cases))
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
