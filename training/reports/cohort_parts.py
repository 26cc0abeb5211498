"""The cohort: tissue types and sites (MSTT-199's table 1), volumes (figure 3) and grey values (figure 4)."""

from datasets.pages.boxes import boxes
from datasets.pages.sheets import Column, Figure, Part, Sheet, Value
from training.reports.summaries import Facts


def cohort_parts(facts: Facts) -> list[Part]:
    """Table 1 and figures 3 and 4; the last only where images were given."""
    found: list[Part] = [_sites(facts), _volumes(facts)]
    kinds = sorted({kind for each in facts.by_case.values() for kind in each.grey})
    return found + [_grey(facts, kind) for kind in kinds]


def _sites(facts: Facts) -> Sheet:
    types = facts.names(lambda each: each.tissue_type)
    rows: list[tuple[Value, ...]] = []
    for cohort in facts.cohorts:
        of_cohort = [each for each in facts.by_case.values() if each.cohort == cohort]
        for site in (*facts.names(lambda each: each.site, cohort), "total"):
            here = [each.tissue_type for each in of_cohort if site in (each.site, "total")]
            rows.append((cohort, site, *(here.count(name) for name in types), len(here)))
    columns = (Column("cohort"), Column("site"), *map(Column, types), Column("total"))
    note = "Cases by tissue type and site (MSTT-199, table 1)."
    return Sheet("table-1-sites", "Tissue types and sites", note, columns, tuple(rows), words=2)


def _volumes(facts: Facts) -> Figure:
    cases = list(facts.by_case.values())
    rows = tuple((each.case, each.cohort, each.tissue_type, each.volume_ml) for each in cases)
    sheet = Sheet(
        "figure-3-volumes",
        "Volume by tissue type",
        "Volumes of the references (MSTT-199, figure 3). Boxes: middle half and median.",
        (Column("case"), Column("cohort"), Column("tissue type"), Column("volume (ml)", ".1f")),
        rows,
        words=3,
    )
    groups = {
        facts.counted(name): {
            cohort: [
                (f"{each.case}: {each.volume_ml:.1f} ml", each.volume_ml)
                for each in cases
                if (each.tissue_type, each.cohort) == (name, cohort)
            ]
            for cohort in facts.cohorts
        }
        for name in facts.names(lambda each: each.tissue_type)
    }
    return Figure(sheet, boxes(groups, y_title="volume (ml)"))


def _grey(facts: Facts, kind: str) -> Figure:
    cases = [each for each in facts.by_case.values() if kind in each.grey]
    sheet = Sheet(
        f"figure-4-grey-{kind}",
        f"Mean grey value of the tumour, {kind}",
        "0 to 255 between the 0.5th and 99.5th percentile of each image, as it is drawn on (MSTT-199, figure 4).",
        (Column("case"), Column("tissue type"), Column("grey value", ".1f")),
        tuple((each.case, each.tissue_type, each.grey[kind]) for each in cases),
        words=2,
    )
    groups = {
        facts.counted(name): {
            kind: [
                (f"{each.case}: {each.grey[kind]:.1f}", each.grey[kind]) for each in cases if each.tissue_type == name
            ]
        }
        for name in facts.names(lambda each: each.tissue_type)
    }
    return Figure(sheet, boxes(groups, y_title="mean grey value"))
