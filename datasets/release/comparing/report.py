"""The comparison of two versions as files: a page with pictures, a table for each part, and one JSON document."""

from html import escape

from datasets.files import canonical_json
from datasets.finding import Finding
from datasets.pages.page import card, whole_page
from datasets.pages.sheets import Column, Sheet, Value
from datasets.pictures.slice_runs import in_short
from datasets.release.comparing.change_pictures import LEGEND
from datasets.release.comparing.changes import CaseChange, ReleaseComparison

PAGE_NAME = "comparison.html"
DOCUMENT_NAME = "comparison.json"


def comparison_files(comparison: ReleaseComparison) -> dict[str, bytes]:
    """The report's files by their names; the same comparison gives the same bytes.

    Args:
        comparison: What changed.
    """
    sheets = _sheets(comparison)
    pictures = {picture.name: picture.png for case in comparison.changed for picture in case.pictures}
    return {
        PAGE_NAME: _page(comparison, sheets).encode(),
        DOCUMENT_NAME: canonical_json(comparison.as_dict()),
        **{f"{sheet.name}.csv": sheet.as_csv().encode() for sheet in sheets},
        **pictures,
    }


def summary(comparison: ReleaseComparison) -> str:
    """What changed, in a line."""
    withdrawn = sum(case.is_withdrawn for case in comparison.left)
    parts = {
        "changed": sum(case.is_other for case in comparison.changed),
        "new": len(comparison.came),
        f"left ({withdrawn} withdrawn)" if withdrawn else "left": len(comparison.left),
        "called otherwise": sum(case.is_renamed for case in comparison.changed),
        "the same": comparison.same,
        "not to be compared": len(comparison.findings),
    }
    counts = ", ".join(f"{count} {words}" for words, count in parts.items() if count)
    return f"{_title(comparison)}, cases: {counts or 'none'}."


def _title(comparison: ReleaseComparison) -> str:
    old, new = comparison.old, comparison.new
    return f"{old.name} {old.version} → {'' if new.name == old.name else f'{new.name} '}{new.version}"


def _sheets(comparison: ReleaseComparison) -> list[Sheet]:
    return [_cases(comparison), _masks(comparison), _images(comparison), _fields(comparison)]


def _cases(comparison: ReleaseComparison) -> Sheet:
    rows = [
        *((case, "came", "") for case in comparison.came),
        *((each.case, "left, withdrawn" if each.is_withdrawn else "left", "") for each in comparison.left),
        *((case.case, _what(case), case.old_case if case.is_renamed else "") for case in comparison.changed),
        *((finding.subject, "could not be compared", "") for finding in comparison.findings),
    ]
    note = f"Cases that are the same, in all but perhaps their code: {comparison.same}."
    columns = tuple(map(Column, ("case", "what happened", "called before")))
    return Sheet("cases", "Cases", note, columns, tuple(rows), words=3)


def _what(case: CaseChange) -> str:
    parts = {
        "renamed": case.is_renamed,
        "grid": case.grid,
        "mask": case.masks,
        "images": case.images,
        "words": case.fields,
    }
    return ", ".join(name for name, found in parts.items() if found)


def _masks(comparison: ReleaseComparison) -> Sheet:
    columns = (
        *map(Column, ("case", "label", "slices")),
        *(Column(head, ".3f") for head in ("before (ml)", "now (ml)", "changed (ml)")),
        *map(Column, ("voxels that came", "voxels that left")),
        Column("Dice", ".4f"),
        Column("largest distance (mm)", ".2f"),
    )
    rows = tuple(
        (
            *(case.case, each.label, in_short(each.slices), each.old_ml, each.new_ml, each.changed_ml),
            *(each.came, each.left, each.dice, each.largest_mm),
        )
        for case in comparison.changed
        for each in case.masks
    )
    note = "The distance is the largest from a surface voxel of one mask to the other's nearest."
    return Sheet("masks", "Masks", note, columns, rows, words=3)


def _images(comparison: ReleaseComparison) -> Sheet:
    columns = (
        *map(Column, ("case", "image", "what happened", "grid", "voxels")),
        Column("share of all", ".4f"),
        Column("largest difference", ".4g"),
    )
    moved = [(case.case, "mask", "lies elsewhere", case.grid) for case in comparison.changed if case.grid]
    rows: list[tuple[Value, ...]] = [(*each, None, None, None) for each in moved]
    rows += [
        (case.case, each.role, each.fate.value, each.grid, each.voxels, each.share, each.largest)
        for case in comparison.changed
        for each in case.images
    ]
    return Sheet("images", "Images and grids", "", columns, tuple(rows), words=4)


def _fields(comparison: ReleaseComparison) -> Sheet:
    columns = tuple(map(Column, ("case", "what", "before", "now")))
    rows = [("the release", each.name, each.old, each.new) for each in comparison.fields]
    rows += [(case.case, each.name, each.old, each.new) for case in comparison.changed for each in case.fields]
    return Sheet("words", "Words", "", columns, tuple(rows), words=4)


def _page(comparison: ReleaseComparison, sheets: list[Sheet]) -> str:
    content = card("In short", f"<p>{escape(summary(comparison))}</p>{_digests(comparison)}")
    content += card("Could not be compared", _listed(comparison.findings)) if comparison.findings else ""
    content += "".join(sheet.as_html() for sheet in sheets)
    drawn = [case for case in comparison.changed if case.pictures]
    if drawn:
        content += f'<h2>Pictures</h2><p class="soft">{LEGEND} Each slice is the one in which most changed.</p>'
    return whole_page(_title(comparison), content + "".join(map(_gallery, drawn)))


def _digests(comparison: ReleaseComparison) -> str:
    rows = "".join(
        f"<dt>{escape(each.name)} {escape(each.version)}</dt><dd>{each.cases} cases, digest {escape(each.digest)}</dd>"
        for each in (comparison.old, comparison.new)
    )
    return f"<dl>{rows}</dl>"


def _listed(findings: tuple[Finding, ...]) -> str:
    return "<ul>" + "".join(f"<li>{escape(str(finding))}</li>" for finding in findings) + "</ul>"


def _gallery(case: CaseChange) -> str:
    figures = "".join(
        f'<figure><img src="{escape(each.name)}" alt="{escape(f"{case.case}: {each.caption}")}">'
        f"<figcaption>{escape(each.caption)}</figcaption></figure>"
        for each in case.pictures
    )
    return card(case.case, f'<div class="gallery">{figures}</div>')
