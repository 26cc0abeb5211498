"""`cases.csv`: a small table beside the images: type, site and consent of each patient, and which files are which.

    patient_id,tissue_type,anatomical_site,consent,t1,t2,mask_t1,mask_t2
    P7,myxoid,"thigh, left",yes,scans/a.nrrd,scans/b.nrrd,,scans/b-tumour.nrrd
    P8,fat,,no,3,5,,

Only ``patient_id`` must be there. ``consent`` says whether the patient agreed that the images are given away; a word
that is neither yes nor no is taken for no. Each of the protocol's images has a column, and one for its mask (``ct``,
``mask_ct``). An image's names a file by its path below the folder, or, of DICOM, a series by its number, its folder or
Maskloop's reference; such a series is a person's choice. Masks are named by path.
`datasets.table_text` splits the table's text into cells.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from unicodedata import normalize

from curation.names.anatomical_sites import SITE_WORDS, known_site
from datasets.finding import Finding, Level
from datasets.study.case import Consent
from datasets.study.protocol import UNKNOWN_TISSUE, Protocol
from datasets.table_text import UnreadableTable, cells_of

CASE_TABLE_NAME = "cases.csv"

_MASK = "mask_"
_ALIASES = {"patientid": "patient_id", "tissuetype": "tissue_type", "anatomicalsite": "anatomical_site"}
_MOST_BYTES = 10_000_000
_CONSENTS = {
    **dict.fromkeys(("yes", "y", "true", "1", "given"), Consent.GIVEN),
    **dict.fromkeys(("no", "n", "false", "0", "refused", "withdrawn"), Consent.REFUSED),
}
_NO_ID = frozenset({"", "nan", "n/a", "#n/a", "null", "none", "na"})
"""Spreadsheets' and data frames' words for an empty cell."""


@dataclass(frozen=True)
class CaseDescription:
    """Tissue type and site of a case, and the patient's consent, given by a person."""

    tissue_type: str = UNKNOWN_TISSUE
    anatomical_site: str = ""
    consent: Consent = Consent.UNSAID


@dataclass(frozen=True)
class NamedFiles:
    """The files or series that a row names.

    Args:
        row: Number of the row in the table.
        series: Role to the cell of its column. Never to be shown.
        masks: Role to the path of a mask. Never to be shown.
    """

    row: int
    series: Mapping[str, str] = field(default_factory=dict, repr=False)
    masks: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class CaseTable:
    """The rows of `cases.csv`.

    Args:
        rows: Patient id to (row number, description); the ids are never to be stored or shown.
        findings: Faults of the table.
        named: Patient id to the files or series that the row names, where it names any.
    """

    rows: Mapping[str, tuple[int, CaseDescription]] = field(default_factory=dict, repr=False)
    findings: tuple[Finding, ...] = ()
    named: Mapping[str, NamedFiles] = field(default_factory=dict, repr=False)


def read_case_table(folder: Path, *, protocol: Protocol, site_words: frozenset[str] | None = None) -> CaseTable:
    """Reads `cases.csv` of a folder; an absent table is an empty one, a damaged one is a finding.

    The file's name and its columns in any capitals, the columns in any order; all but ``patient_id`` may be missing.
    The patient id is DICOM's PatientID, or for other files the patient's folder or file prefix, or any name where the
    row names the files. Letters with marks may be composed or not: ids are kept composed.

    Args:
        folder: The folder of the table.
        protocol: The study's, which says the columns, tissue types and sites.
        site_words: Words of anatomical sites that are kept beside the protocol's; None for the built-in ones.
    """
    words = _Words(protocol, SITE_WORDS if site_words is None else site_words)
    try:
        paths = _tables_in(folder)
        if len(paths) != 1:
            return words.unreadable("several tables' names differ in capitals only") if paths else CaseTable()
        if paths[0].stat().st_size > _MOST_BYTES:
            return words.unreadable("the file has more than 10 MB")
        cells = cells_of(paths[0].read_bytes(), key=_column, wanted="patient_id")
    except OSError as error:
        return words.unreadable(f"it cannot be read ({type(error).__name__})")
    except UnreadableTable as error:
        return words.unreadable(str(error))
    columns = [_column(name) for name in cells.header]
    named = [name for name in columns if name]
    if columns.count("patient_id") != 1 or len(set(named)) != len(named):
        return words.unreadable("it has no single patient_id column, or a column twice")
    table = _parsed(columns, cells.lines, cells.first_row, words)
    return replace(table, findings=(*_odd(cells.odd_row), *words.passed_over(named), *table.findings))


class _Words:
    """The columns and words that a protocol allows in its table."""

    def __init__(self, protocol: Protocol, site_words: frozenset[str]) -> None:
        masks = (f"{_MASK}{role}" for role in protocol.roles)
        self.roles = protocol.roles
        self.columns = ("patient_id", "tissue_type", "anatomical_site", "consent", *protocol.roles, *masks)
        self.sites = site_words | {word for site in protocol.sites for word in site.split()}
        self._tissue_types = (*protocol.tissue_types, UNKNOWN_TISSUE)

    def tissue_type(self, value: str) -> str | None:
        """The tissue type of a cell; None for a word that is none."""
        wanted = value.lower() or UNKNOWN_TISSUE
        return wanted if wanted in self._tissue_types else None

    def unknown(self, number: int, tissue_type: str | None, site: str | None) -> Iterator[Finding]:
        """Findings about a row's words that are not known."""
        if tissue_type is None:
            known = ", ".join(self._tissue_types)
            yield row_finding(number, "tissue-type-unknown", f"The tissue type is none of {known}.")
        if site is None:
            message = (
                "The anatomical site has other words or signs than plain English ones (side, body part, compartment); "
                "it is left out."
            )
            yield row_finding(number, "site-unknown", message)

    def passed_over(self, columns: list[str]) -> Iterator[Finding]:
        """Names ignored columns, since one may be a misspelt one of ours."""
        others = [name for name in columns if name not in self.columns]
        if others:
            message = f"{len(others)} column(s) were ignored: they are called none of {', '.join(self.columns)}."
            remedy = "Nothing, unless a name is misspelt."
            yield Finding(Level.INFO, "table-columns-other", message, remedy, CASE_TABLE_NAME)

    def unreadable(self, why: str) -> CaseTable:
        """The finding about a table that is no table."""
        message = f"The table of cases was not read: {why}."
        remedy = f"Save it as UTF-8 text with the columns {', '.join(self.columns)}."
        return CaseTable(findings=(Finding(Level.WARNING, "table-unreadable", message, remedy, CASE_TABLE_NAME),))


def is_case_table(name: str) -> bool:
    """Whether a file is called as the table is, in any capitals."""
    return name.lower() == CASE_TABLE_NAME


def _tables_in(folder: Path) -> list[Path]:
    """The table; files that differ from it in capitals only where there is none of its very name."""
    found = [path for path in folder.iterdir() if is_case_table(path.name) and not path.is_symlink() and path.is_file()]
    return [path for path in found if path.name == CASE_TABLE_NAME] or found


def _column(name: str) -> str:
    """A column's name as we write it: small letters, underscores."""
    words = "_".join(name.strip().lower().replace("-", " ").split())
    return _ALIASES.get(words, words)


def _odd(row: int | None) -> Iterator[Finding]:
    if row is not None:
        message = "The text is not UTF-8 from this row on; it was read as Windows-1252."
        yield row_finding(row, "table-encoding", message, remedy="Save the table as UTF-8.")


def row_finding(row: int, code: str, message: str, *, remedy: str = "") -> Finding:
    """A warning about one row, which names no patient."""
    return Finding(
        Level.WARNING,
        code,
        message,
        remedy or f"Correct the row in {CASE_TABLE_NAME}.",
        f"{CASE_TABLE_NAME}, row {row}",
    )


def _parsed(columns: list[str], lines: list[list[str]], first_row: int, words: _Words) -> CaseTable:
    rows: dict[str, tuple[int, CaseDescription]] = {}
    named: dict[str, NamedFiles] = {}
    findings: list[Finding] = []
    for number, line in enumerate(lines, start=first_row):
        values = dict(zip(columns, (value.strip() for value in line), strict=False))
        patient_id = normalize("NFC", values.get("patient_id", ""))
        if any(value.strip() for value in line[len(columns) :]):
            message = (
                f"Expected at most {len(columns)} cells in a row, got {len(line)}; those behind the last column are "
                "ignored, and others may be in the wrong one."
            )
            remedy = f"Put what has a separator in it in quotes, or save {CASE_TABLE_NAME} by a spreadsheet."
            findings.append(row_finding(number, "table-row-long", message, remedy=remedy))
        if patient_id.lower() in _NO_ID or patient_id in rows:
            findings += _useless(number, patient_id, values, rows)
            continue
        tissue_type = words.tissue_type(values.get("tissue_type", ""))
        site = known_site(values.get("anatomical_site", ""), words=words.sites)
        findings += words.unknown(number, tissue_type, site)
        consent, said = _consent(number, values.get("consent", ""))
        findings += said
        rows[patient_id] = (number, CaseDescription(tissue_type or UNKNOWN_TISSUE, site or "", consent))
        series, masks = (
            {role: value for role in words.roles if (value := _bare(values.get(prefix + role, "")))}
            for prefix in ("", _MASK)
        )
        if series or masks:
            named[patient_id] = NamedFiles(number, series, masks)
    return CaseTable(rows, tuple(findings), named)


def _consent(number: int, cell: str) -> tuple[Consent, list[Finding]]:
    """The consent of a cell; a word that nobody knows gives nothing away."""
    word = cell.casefold()
    if word in _NO_ID:
        return Consent.UNSAID, []
    if word in _CONSENTS:
        return _CONSENTS[word], []
    message = "The consent is neither yes nor no; it is taken for no, and the case goes into no release."
    return Consent.REFUSED, [row_finding(number, "consent-unknown", message)]


def _bare(path: str) -> str:
    """A path without the quotes around it that Windows copies along (*Copy as path*)."""
    is_quoted = len(path) > 2 and path[0] == path[-1] and path[0] in "\"'"
    return path[1:-1].strip() if is_quoted else path


def _useless(
    number: int, patient_id: str, values: Mapping[str, str], rows: Mapping[str, tuple[int, CaseDescription]]
) -> Iterator[Finding]:
    """Why a row is ignored; no finding for an empty one."""
    if patient_id in rows:
        message = f"The patient of this row has row {rows[patient_id][0]} already; this one is ignored."
        yield row_finding(number, "table-row-twice", message)
    elif any(values.values()):
        yield row_finding(number, "table-row-without-id", "The row has no patient_id; it is ignored.")
