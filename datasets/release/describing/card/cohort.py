"""The card's part on the cohort: tissue types and sites, volumes, quality scores and grey values, as papers show them.

Source: the MSTT-199 paper, table 1 and figures 3 and 4.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from datasets.pages.boxes import Mark, box_figure
from datasets.release.describing.card.blocks import Block, Bullets, Figure, Paragraph, Table, words
from datasets.release.describing.case_facts import CaseFacts
from datasets.release.paths import FIGURES
from datasets.release.settings import ReleaseRole, ReleaseSettings
from datasets.study.case import QUALITY_MEANINGS
from datasets.study.grey_values import LEVELS
from datasets.study.protocol import Modality

MOST_SITES = 30
"""Rows of the table of sites; rarer ones are counted together."""

_MOST_TOLD = 12
"""Boxes whose numbers the figure's text tells; the tables have all."""

_INSIDE, _OUTSIDE = "in the mask", "outside"
_UNITS = {Modality.CT: "HU", Modality.PET: "SUV"}
_WHITE = 255.0
_MEDIAN = LEVELS.index(0.5)


def cohort_blocks(cases: Sequence[CaseFacts]) -> tuple[Block, ...]:
    """Cases by tissue type and site."""
    types = sorted({case.entry.tissue_type for case in cases})
    counts = Counter((_site(case), case.entry.tissue_type) for case in cases)
    sites = Counter(_site(case) for case in cases)
    shown = sorted(site for site, _ in sites.most_common(MOST_SITES))
    rows = [(site, *(counts[site, name] for name in types), sites[site]) for site in shown]
    if rest := sites.total() - sum(sites[site] for site in shown):
        rare = [sum(counts[site, name] for site in sites if site not in shown) for name in types]
        rows.append((f"{len(sites) - len(shown)} further sites", *rare, rest))
    total = Counter(case.entry.tissue_type for case in cases)
    rows.append(("all sites", *(total[name] for name in types), len(cases)))
    heads = ("site", *types, "all types")
    cells = tuple(tuple(str(cell) for cell in row) for row in rows)
    return (Table("Cases by tissue type and anatomical site.", heads, cells),)


def volume_blocks(settings: ReleaseSettings, cases: Sequence[CaseFacts]) -> tuple[Block, ...]:
    """Volumes by tissue type, of all labels together; and a table of each label."""
    held = [case for case in cases if case.entry.volume_ml > 0]
    if not held:
        return ()
    groups = {
        f"{name} ({len(marks)})": {"volume": marks}
        for name in sorted({case.entry.tissue_type for case in held})
        if (marks := [_volume_mark(case) for case in held if case.entry.tissue_type == name])
    }
    title = "Volume by tissue type, in millilitres."
    alternative = (
        f"Box plot of volumes in ml by tissue type. {_told({name: one['volume'] for name, one in groups.items()})}"
    )
    drawing = box_figure(groups, y_title="volume (ml)", label=alternative)
    by_type = [(name.rpartition(" (")[0], one["volume"]) for name, one in groups.items()]
    return (
        Paragraph(words("Of the cases whose masks are not empty; `cases.csv` has each. Boxes hold the middle half.")),
        Figure(f"{FIGURES}/volumes.svg", title, alternative, drawing),
        _spread_table("Volumes in ml by tissue type, all labels together.", "tissue type", by_type),
        _spread_table("Volumes in ml by label.", "label", list(_by_label(settings, cases))),
    )


def quality_blocks(cases: Sequence[CaseFacts]) -> tuple[Block, ...]:
    """How the reviewers scored the masks, and what their scores mean."""
    scores = Counter(_in_words(case.entry.quality_score) for case in cases)
    rows = tuple((name, str(scores[name])) for name in sorted(scores))
    given = {case.entry.quality_score for case in cases}
    meanings = tuple((f"{_in_words(score)}: {text}",) for score, text in QUALITY_MEANINGS.items() if score in given)
    return (
        Table("Quality scores of the masks.", ("quality score", "cases"), rows),
        *([Bullets(meanings)] if meanings else []),
    )


def grey_blocks(settings: ReleaseSettings, cases: Sequence[CaseFacts]) -> tuple[Block, ...]:
    """Grey values in the mask and outside of it, by image; a figure for each unit."""
    found: list[Block] = []
    for modality in Modality:
        roles = [role for role in settings.roles if role.modality is modality]
        groups = {role.title: _grey_marks(role, cases) for role in roles}
        groups = {title: series for title, series in groups.items() if any(series.values())}
        if groups:
            found.append(_grey_figure(modality, groups))
    note = (
        "Of each case the median of the mask's voxels, and of all others, air included. MR images have no unit: 0 to "
        "255 between the 0.5th and 99.5th percentile of each image, as annotators see it. The JSON beside each mask "
        "has the quantiles in the image's own numbers."
    )
    return (Paragraph(words(note)), *found) if found else ()


def _grey_figure(modality: Modality, groups: Mapping[str, Mapping[str, Sequence[Mark]]]) -> Figure:
    unit = _UNITS.get(modality, "0 to 255")
    name = {Modality.MR: "MR", Modality.CT: "CT", Modality.PET: "PET"}[modality]
    told = {f"{title}, {name}": marks for title, series in groups.items() for name, marks in series.items()}
    alternative = f"Box plot of the cases' median grey values ({unit}) by image. {_told(told)}"
    drawing = box_figure(groups, y_title=f"median grey value ({unit})", label=alternative)
    title = f"{name}: grey values in the mask and outside of it ({unit})."
    return Figure(f"{FIGURES}/grey-values-{name.lower()}.svg", title, alternative, drawing)


def _grey_marks(role: ReleaseRole, cases: Sequence[CaseFacts]) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = {_INSIDE: [], _OUTSIDE: []}
    for case in cases:
        grey = case.grey.get(role.name)
        for name, values in ((_INSIDE, grey.inside), (_OUTSIDE, grey.outside)) if grey else ():
            if grey and values:
                value = values[_MEDIAN] if role.modality in _UNITS else _shown(values[_MEDIAN], grey.image)
                found[name].append((f"{case.entry.case}, {name}: {_number(value)}", value))
    return found


def _shown(value: float, image: Sequence[float]) -> float:
    """The value as annotators see it: 0 to 255 between the image's outermost quantiles."""
    lower, upper = image[0], image[-1]
    return _WHITE * min(max((value - lower) / (upper - lower), 0.0), 1.0) if upper > lower else 0.0


def _by_label(settings: ReleaseSettings, cases: Sequence[CaseFacts]) -> list[tuple[str, list[Mark]]]:
    found = []
    for _, name in sorted(settings.labels.items()):
        volumes = [(case.entry.case, case.entry.label_volumes_ml[name]) for case in cases]
        held = [(code, volume) for code, volume in volumes if volume > 0]
        found += [(name, held)] if held else []
    return found


def _spread_table(title: str, head: str, groups: Sequence[tuple[str, Sequence[Mark]]]) -> Table:
    heads = (head, "cases", "median", "quartiles", "least", "most")
    return Table(title, heads, tuple((name, str(len(marks)), *_spread(marks)) for name, marks in groups))


def _spread(marks: Sequence[Mark]) -> tuple[str, str, str, str]:
    """Median, quartiles, least and most."""
    values = np.array([value for _, value in marks])
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    shown = [_number(value) for value in (median, low, high, values.min(), values.max())]
    return shown[0], f"{shown[1]} to {shown[2]}", shown[3], shown[4]


def _number(value: float) -> str:
    """Three digits that count, without an exponent."""
    return f"{float(f'{value:.3g}'):g}" if abs(value) < 1e6 else f"{value:.0f}"


def _told(groups: Mapping[str, Sequence[Mark]]) -> str:
    """The boxes of a figure in words."""
    told = []
    for name, marks in list(groups.items())[:_MOST_TOLD]:
        if marks:
            median, quartiles, least, most = _spread(marks)
            told.append(f"{name}: median {median}, middle half {quartiles}, all {least} to {most}.")
    left = len(groups) - _MOST_TOLD
    return " ".join([*told, *([f"And {left} more."] if left > 0 else [])])


def _volume_mark(case: CaseFacts) -> Mark:
    return f"{case.entry.case}: {_number(case.entry.volume_ml)} ml", case.entry.volume_ml


def _site(case: CaseFacts) -> str:
    return case.entry.anatomical_site or "not said"


def _in_words(score: str | None) -> str:
    return score.replace("_", " ") if score else "not scored"
