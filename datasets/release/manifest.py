"""The manifest of a release: every file with its digest, every case with its sources, and one digest for all."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any, NoReturn

from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes

SCHEMA = "maskloop-release/1"

MANIFEST_NAME = "manifest.json"
SUMS_NAME = "SHA256SUMS"
CARD_NAME = "README.md"
LICENCE_NAME = "LICENSE.txt"
SPLITS_NAME = "splits.json"
TABLE_NAME = "cases.csv"

_MEDIA_TYPES = {
    ".gz": "application/gzip",
    ".json": "application/json",
    ".csv": "text/csv",
    ".md": "text/markdown",
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
class CaseEntry:
    """One case of a release, with its sources.

    Args:
        case: Its code.
        patient: Its patient's pseudonymous code.
        tissue_type: Tissue of origin.
        anatomical_site: In words.
        annotated_sequence: ``t1`` or ``t2``: the sequence that annotators drew on.
        quality_score: The reviewer's score, or None.
        shape: Voxels along i, j, k.
        spacing_mm: Distance between voxels along i, j, k in millimetres.
        volume_ml: Volume of all labels together in millilitres.
        mask_empty: Whether the mask holds no voxel, as its reviewer approved.
        unannotated_slices: Slices that nobody drew on.
        sources: SHA-256 of the sources of the files, by name.
        parameters: Further facts about how the case was made.
    """

    case: str
    patient: str
    tissue_type: str
    anatomical_site: str
    annotated_sequence: str
    quality_score: str | None
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    volume_ml: float
    mask_empty: bool
    unannotated_slices: tuple[int, ...]
    sources: Mapping[str, str]
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Manifest:
    """The contents of manifest.json.

    Args:
        name: The release's name.
        version: Its version.
        follows: The version before it, or None.
        licence: Name of the data's licence.
        labels: Name of each value in the masks, by the value in decimal.
        seed: Seed of the suggested folds.
        software: Versions of the software that built it.
        withdrawn: Codes of cases not to be used any more.
        cases: Sorted by code.
        files: Sorted by path; all but the manifest itself and SHA256SUMS.
        schema: The manifest's own version.
    """

    name: str
    version: str
    follows: str | None
    licence: str
    labels: Mapping[str, str]
    seed: int
    software: Mapping[str, str]
    withdrawn: tuple[str, ...]
    cases: tuple[CaseEntry, ...]
    files: tuple[FileEntry, ...]
    schema: str = SCHEMA

    @property
    def release_digest(self) -> str:
        """SHA-256 of the canonical manifest without this digest: names every byte and every source of the release."""
        return sha256_of_bytes(canonical_json(asdict(self)))

    def encode(self) -> bytes:
        """The bytes of manifest.json."""
        return canonical_json(asdict(self) | {"release_digest": self.release_digest})

    def sums(self) -> bytes:
        """The bytes of SHA256SUMS, as `sha256sum -c` reads them: every file and the manifest, sorted by path."""
        digests = {entry.path: entry.sha256 for entry in self.files}
        digests[MANIFEST_NAME] = sha256_of_bytes(self.encode())
        return "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items())).encode()


def file_entry(path: str, content: bytes) -> FileEntry:
    """The entry of a file with these bytes."""
    suffix = path[path.rindex(".") :]
    return FileEntry(path, sha256_of_bytes(content), len(content), _MEDIA_TYPES[suffix])


def case_paths(code: str) -> tuple[str, str, str]:
    """The paths of a case's T1, T2 and mask in a release."""
    return f"images/{code}/t1.nii.gz", f"images/{code}/t2.nii.gz", f"masks/{code}.nii.gz"


def read_manifest(content: bytes) -> Manifest:
    """The manifest in these bytes, not yet verified against the files (`verify`).

    Raises:
        RejectedInput: Not JSON, with not-a-number or repeated keys, or not a manifest of this schema.
    """
    value = strict_json(content)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        _refuse("manifest-schema", f"The manifest is not of schema {SCHEMA}.")
    try:
        return Manifest(**_exactly(value, Manifest, also={"release_digest"}) | _parts(value))
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


def _parts(value: dict[str, Any]) -> dict[str, Any]:
    """The fields of a manifest that are lists, as tuples of values whose types the checks rely on."""
    cases = tuple(CaseEntry(**_exactly(case, CaseEntry)) for case in value["cases"])
    files = tuple(FileEntry(**_exactly(entry, FileEntry)) for entry in value["files"])
    _all_of(str, (text for case in cases for text in (case.case, case.patient)))
    _all_of(str, (text for entry in files for text in (entry.path, entry.sha256, entry.media_type)))
    _all_of(int, (entry.bytes for entry in files))
    _all_of(str, value["withdrawn"])
    return {"cases": cases, "files": files, "withdrawn": tuple(value["withdrawn"])}


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
