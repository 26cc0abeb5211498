"""What a reader of a release reports as wrong: one JSON document, by hand or by a page; whoever reports is not in it.

{
  "schema": "maskloop-erratum/1",
  "release": "thigh-tumours",
  "version": "1.0.0",
  "release_digest": "<release_digest of manifest.json>",
  "case": "sub-0001_ses-1",
  "part": "mask",
  "label": "Tumour",
  "slices": [12, 13],
  "text": "The mask leaves out the part below the knee."
}

`label` and `slices` may be left out.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn

from datasets.errors import RejectedInput
from datasets.release.manifest_1 import Manifest1
from datasets.release.manifest_reading import AnyCase, AnyManifest, strict_json
from datasets.release.paths import ERRATUM_SCHEMA
from datasets.release.publication import refuse_names

MOST_BYTES = 1 << 16
MOST_TEXT = 500
MOST_SLICES = 1000

_REQUIRED = ("schema", "release", "version", "release_digest", "case", "part", "text")
_OPTIONAL = ("label", "slices")
_OF_PERSONS = re.compile(
    r"name|reporter|reader|author|person|patient|mail|contact|phone|birth|sex|age|address|institut"
)
"""Fields by which people name somebody."""

_MAIL = re.compile(r"\S@\S")
_DAY = re.compile(
    r"\b(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2}\b|\b\d{1,2}[-./]\d{1,2}[-./](?:19|20)\d\d\b|\b(?:19|20)\d{6}\b"
)
_REMEDY = "The release's README.md shows such a document; correct it, and report again."
_LONGEST_NAME = 100
_LARGEST_INDEX = 100_000


class FaultyPart(StrEnum):
    """What of a case is wrong."""

    MASK = "mask"
    LABEL = "label"
    IMAGE = "image"
    WORDS = "words"


PART_WORDS = {
    FaultyPart.MASK: "The mask's outline",
    FaultyPart.LABEL: "The label of a part of the mask",
    FaultyPart.IMAGE: "An image, or how it lies on the others",
    FaultyPart.WORDS: "The tissue type, the site, or another word",
}
"""As pages say it."""


@dataclass(frozen=True)
class ErratumReport:
    """What a reader reports.

    Args:
        release: The release's name.
        version: The version that the reader holds.
        release_digest: Its digest, by which it is the one that was published.
        case: What the release calls the case.
        part: What of it is wrong.
        text: In the reader's words: one line, without names and dates.
        label: Of the mask, where one is meant.
        slices: Indices of the slices that are meant, sorted; none for the whole case.
    """

    release: str
    version: str
    release_digest: str
    case: str
    part: FaultyPart
    text: str
    label: str = ""
    slices: tuple[int, ...] = ()


def read_report_file(path: Path) -> ErratumReport:
    """The report in a file.

    Raises:
        RejectedInput: It is no ordinary file, or larger than `MOST_BYTES` (``erratum-file``), or as `read_report`.
    """
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        message = f"At this path there is no file, or one of more than {MOST_BYTES // 1024} KB."
        _refuse("erratum-file", message, remedy="Give the path of the reader's document; no report is as long as that.")
    with path.open("rb") as stream:
        return read_report(stream.read(MOST_BYTES + 1))


def read_report(content: bytes) -> ErratumReport:
    """The report in a document.

    Raises:
        RejectedInput: No JSON (``json-unsound``), fields that are missing or unknown (``erratum-fields``), one that
            names somebody (``erratum-person``), a value of another kind (``erratum-value``), or what `checked_text`
            refuses.
    """
    value = strict_json(content[: MOST_BYTES + 1])
    if not isinstance(value, dict):
        _refuse("erratum-fields", "The document is no JSON object.")
    _require_fields(value)
    if value["schema"] != ERRATUM_SCHEMA:
        _refuse("erratum-value", f"Expected the schema {ERRATUM_SCHEMA}, got {str(value['schema'])[:40]!r}.")
    words = [value[name] for name in ("release", "version", "release_digest", "case", "text")]
    words.append(value.get("label", ""))
    if not all(isinstance(word, str) for word in words):
        _refuse("erratum-value", "A field that should be a text is none.")
    for word in (*words[:4], words[5]):
        if not word.isprintable() or len(word) > _LONGEST_NAME:
            _refuse("erratum-value", "A name, version, digest, code or label is no short line of printable characters.")
    if value["part"] not in list(FaultyPart):
        _refuse("erratum-value", f"Expected a part among {', '.join(FaultyPart)}, got {str(value['part'])[:40]!r}.")
    release, version, digest, case, text, label = words
    slices = checked_slices(value.get("slices", []))
    return ErratumReport(
        release, version, digest, case, FaultyPart(value["part"]), checked_text(text), label=label, slices=slices
    )


def checked_text(text: str) -> str:
    """Words that are to stand beside a release for everybody: one line that names nobody.

    Raises:
        RejectedInput: It is empty, longer than `MOST_TEXT`, or has control characters or line breaks
            (``erratum-text``); or holds an e-mail address, a day, or a name as DICOM headers write it
            (``erratum-person``).
    """
    text = text.strip()
    if not 0 < len(text) <= MOST_TEXT or not text.isprintable():
        message = f"The text is not one line of 1 to {MOST_TEXT} characters without control characters."
        _refuse("erratum-text", message, remedy="Shorten it, and take control characters and line breaks out.")
    try:
        refuse_names(text)
    except RejectedInput as refusal:
        raise RejectedInput("erratum-person", refusal.message, remedy=refusal.remedy) from refusal
    if _MAIL.search(text) or _DAY.search(text):
        message = "The text holds an e-mail address or a day; everybody may read it later."
        _refuse("erratum-person", message, remedy="Take it out.")
    return text


def checked_slices(values: Any) -> tuple[int, ...]:
    """Indices of slices, sorted, each once.

    Raises:
        RejectedInput: ``erratum-slices``.
    """
    are_whole = isinstance(values, list | tuple) and all(type(value) is int for value in values)
    if not are_whole or len(values) > MOST_SLICES or not all(0 <= value < _LARGEST_INDEX for value in values):
        _refuse("erratum-slices", f"The slices are no list of at most {MOST_SLICES} indices from 0 on.")
    return tuple(sorted(set(values)))


def reported_case(report: ErratumReport, manifest: AnyManifest) -> AnyCase:
    """The case that a report is about, in the version that it is about.

    Raises:
        RejectedInput: The version was published with another digest (``erratum-digest``), has no such case
            (``erratum-case``), label (``erratum-label``) or slice (``erratum-slices``).
    """
    if report.release_digest.strip().casefold() != manifest.release_digest:
        message = "The version of this number that was published has another digest."
        remedy = "Verify your copy; where it is sound, give release_digest of its manifest.json."
        _refuse("erratum-digest", message, remedy=remedy)
    case = next((case for case in manifest.cases if case.case == report.case), None)
    if case is None:
        _refuse("erratum-case", "The version has no case of this code.", remedy="Give a code of its cases.csv.")
    if report.label and report.label not in _labels(manifest):
        _refuse("erratum-label", "The version's masks have no label of this name.", remedy="Its README.md names them.")
    if report.slices and report.slices[-1] >= max(case.shape):
        _refuse("erratum-slices", f"Expected slices below {max(case.shape)}, got {report.slices[-1]}.")
    return case


def _labels(manifest: AnyManifest) -> Iterable[str]:
    return manifest.labels.values() if isinstance(manifest, Manifest1) else [label.name for label in manifest.labels]


def _require_fields(value: dict[str, Any]) -> None:
    unknown = sorted(set(value) - {*_REQUIRED, *_OPTIONAL})
    if any(_OF_PERSONS.search(name.casefold()) for name in unknown):
        message = "A field names a person, and errata name nobody: neither who reports nor a patient."
        _refuse("erratum-person", message, remedy="Take the field out.")
    if unknown:
        _refuse(
            "erratum-fields", f"{len(unknown)} field(s) are unknown: expected {', '.join((*_REQUIRED, *_OPTIONAL))}."
        )
    if missing := [name for name in _REQUIRED if name not in value]:
        _refuse("erratum-fields", f"Fields are missing: {', '.join(missing)}.")


def _refuse(code: str, message: str, *, remedy: str = _REMEDY) -> NoReturn:
    raise RejectedInput(code, message, remedy=remedy)
