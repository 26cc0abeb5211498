"""A table of a cohort folder's cases: whose they are, tissue type, site and vendor, which a folder of files cannot say.

    case,patient,tissue_type,anatomical_site,vendor
    STS_001,STS_001,mfh,"thigh, left",SIEMENS

Columns may have any order; all but ``case`` may be missing. `cases.csv`, as an ingest reads it, is such a table, too,
where the folder's cases are called by the patients: its ``patient_id`` is the case then.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import NoReturn

from datasets.errors import RejectedInput
from datasets.study.splits.split_case import UNKNOWN, SplitCase
from datasets.study.splits.vendors import OTHER, vendor_of

_ALIASES = {
    "patientid": "patient",
    "patient_id": "patient",
    "site": "anatomical_site",
    "anatomicalsite": "anatomical_site",
    "tissuetype": "tissue_type",
    "manufacturer": "vendor",
    "case_id": "case",
}
_MOST_BYTES = 10_000_000


def cases_of_table(path: Path | None, names: Collection[str]) -> tuple[dict[str, SplitCase], tuple[str, ...]]:
    """What a table says of a folder's cases; each case is a patient of its own where it says nothing.

    Args:
        path: Of the table; None for none.
        names: The cases; rows of others are passed over.

    Returns:
        The cases by name, and findings: cases without a row.

    Raises:
        RejectedInput: It cannot be read, has no column of cases, or a case twice (``case-table``).
    """
    found = {name: SplitCase(name, name, UNKNOWN) for name in names}
    if path is None:
        return found, ()
    rows = _rows(path)
    found |= {name: rows[name] for name in names if name in rows}
    missing = sorted(set(names) - rows.keys())
    listed = ", ".join(missing[:10]) + (" …" if len(missing) > 10 else "")
    return found, (f"The table has no row of {len(missing)} case(s): {listed}. [case-table-row]",) if missing else ()


def _rows(path: Path) -> dict[str, SplitCase]:
    from datasets.table_text import UnreadableTable, cells_of

    try:
        content = path.read_bytes() if path.stat().st_size <= _MOST_BYTES else b""
        cells = cells_of(content, key=_column, wanted="case")
    except OSError:
        _refuse("it cannot be opened")
    except UnreadableTable as error:
        _refuse(str(error))
    columns = [_column(name) for name in cells.header]
    if "case" not in columns:
        columns = ["case" if name == "patient" else name for name in columns]
    if "case" not in columns or len({*columns}) < len(columns):
        _refuse("it needs a column called case, and each column once")
    rows: dict[str, SplitCase] = {}
    for number, line in enumerate(cells.lines, start=cells.first_row):
        values = {column: cell.strip() for column, cell in zip(columns, line, strict=False)}
        if not (name := values.get("case", "")):
            continue
        if name in rows:
            _refuse(f"row {number} has a case that another row has too")
        rows[name] = _case(name, values)
    return rows


def _case(name: str, values: dict[str, str]) -> SplitCase:
    return SplitCase(
        name,
        values.get("patient") or name,
        _word(values.get("tissue_type", "")) or UNKNOWN,
        site=values.get("anatomical_site", ""),
        vendor=_vendor(values.get("vendor", "")),
    )


def _vendor(cell: str) -> str:
    """The vendor that a person wrote: one that is known by whatever spelling, or their own word."""
    found = vendor_of(cell)
    return _word(cell) if found == OTHER else found


def _word(cell: str) -> str:
    return "_".join(re.findall(r"[a-z0-9]+", cell.casefold()))[:60]


def _column(name: str) -> str:
    plain = re.sub(r"[\s-]+", "_", name.strip().casefold())
    return _ALIASES.get(plain, plain)


def _refuse(why: str) -> NoReturn:
    raise RejectedInput(
        "case-table",
        f"The table of cases cannot be used: {why}.",
        remedy="Save it as CSV with the columns case, patient, tissue_type, anatomical_site and vendor.",
    )
