"""External cohorts: frozen lists of patients that no training may read, so that a model is tried on strangers.

    {"cases": […], "digest": …, "left_out": […], "name": "sts-external", "note": …, "patients": […],
     "pixels": […], "schema": "maskloop-external-1"}

The document is canonical JSON; `digest` is the SHA-256 of the document without it.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes
from datasets.study.splits.split_case import SplitCase

SCHEMA = "maskloop-external-1"

_FOLDER = Path(__file__).parent / "external_cohorts"
MOST_BYTES = 50_000_000
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True)
class ExternalCohort:
    """A frozen external cohort.

    Args:
        name: Kebab-case name.
        cases: Codes of its cases.
        patients: Codes of its patients.
        left_out: Codes of patients of its source that it leaves out; they are neither tried nor learned from.
        pixels: Digests of its images (`datasets.image.digest.pixels_sha256`), by which they are known under other
            names.
        note: Where it comes from.

    Raises:
        RejectedInput: It has no name or lists nobody (``external-cohort``).
    """

    name: str
    cases: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    pixels: tuple[str, ...] = field(default=(), repr=False)
    note: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or not (self.cases or self.patients):
            _refuse("has a kebab-case name and lists cases or patients")
        if any("\0" in text for text in (*self.cases, *self.patients, *self.left_out, self.note)):
            _refuse("holds texts without zero characters, which no database keeps")
        if not all(_DIGEST.fullmatch(digest) for digest in self.pixels):
            _refuse("lists images by 64 hexadecimal digits each")

    @property
    def digest(self) -> str:
        """SHA-256 of the document without its digest."""
        return sha256_of_bytes(canonical_json(self._content))

    @property
    def values(self) -> dict[str, Any]:
        """The document as plain JSON values."""
        return self._content | {"digest": self.digest}

    @property
    def encoded(self) -> bytes:
        """The document."""
        return canonical_json(self.values)

    def holds(self, case: SplitCase) -> bool:
        """Whether a case is one of the cohort's, or of one of its patients, or of those that it leaves out.

        Capitals, hyphens and underscores do not count, and a code that begins with a listed one and an underscore, as
        the cases of a folder may, is meant by it.
        """
        listed = {_plain(code) for code in (*self.cases, *self.patients, *self.left_out)}
        return any(_plain(code) in listed or _begins_listed(_plain(code), listed) for code in (case.case, case.patient))

    @property
    def _content(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "name": self.name,
            "note": self.note,
            "cases": sorted(set(self.cases)),
            "patients": sorted(set(self.patients)),
            "left_out": sorted(set(self.left_out)),
            "pixels": sorted(set(self.pixels)),
        }


def shipped_cohorts() -> tuple[str, ...]:
    """Names of the external cohorts that come along."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


def external_cohort(name_or_path: str) -> ExternalCohort:
    """An external cohort that comes along, or one in a file.

    Raises:
        RejectedInput: There is neither (``external-unknown``), the file is none (``external-cohort``), or it was
            changed since it was frozen (``external-changed``).
    """
    path = _FOLDER / f"{name_or_path}.json" if name_or_path in shipped_cohorts() else Path(name_or_path)
    try:
        content = path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""
    except (OSError, ValueError) as error:
        raise RejectedInput(
            "external-unknown",
            "No external cohort that comes along has this name, and there is no such file that can be read.",
            remedy=f"Give {' or '.join(shipped_cohorts())}, or the path of a document.",
        ) from error
    return read_external(content)


def read_external(content: bytes) -> ExternalCohort:
    """The external cohort of a document.

    Raises:
        RejectedInput: As `external_of_values`.
    """
    try:
        values = json.loads(content) if len(content) <= MOST_BYTES else None
    except (ValueError, RecursionError) as error:
        raise _none("is JSON with all its fields") from error
    return external_of_values(values)


def external_of_values(values: Any) -> ExternalCohort:
    """The external cohort of a document's values.

    Raises:
        RejectedInput: It is none (``external-cohort``), or was changed since it was frozen (``external-changed``).
    """
    try:
        if values["schema"] != SCHEMA:
            _refuse(f"is of the schema {SCHEMA}")
        lists = {name: _codes(values[name]) for name in ("cases", "patients", "left_out", "pixels")}
        found = ExternalCohort(str(values["name"]), note=str(values["note"]), **lists)
        digest = values["digest"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _none("is JSON with all its fields") from error
    if digest != found.digest:
        raise RejectedInput(
            "external-changed",
            "The external cohort is not the one that was frozen: its digest is another.",
            remedy="Restore the document; a changed cohort is a new one, frozen anew.",
        )
    return found


def _codes(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(code, str) and code for code in values):
        _refuse("lists codes as texts")
    return tuple(values)


def _plain(code: str) -> str:
    return code.casefold().replace("-", "_")


def _begins_listed(code: str, listed: set[str]) -> bool:
    parts = code.split("_")
    return any("_".join(parts[:count]) in listed for count in range(1, len(parts)))


def _none(expected: str) -> RejectedInput:
    return RejectedInput(
        "external-cohort",
        f"Expected a document of an external cohort that {expected}.",
        remedy="Write it with `freeze_external`.",
    )


def _refuse(expected: str) -> NoReturn:
    raise _none(expected)
