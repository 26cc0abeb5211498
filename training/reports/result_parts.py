"""Results as tables: models on cohorts (MSTT-199's table 2), tissue types (3), sites (4), thirds by size, distances and
lesions; and tissue types beside each other as InteractiveNet's table 2 has them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from datasets.pages.sheets import Column, Part, Sheet, Value
from training.evaluation.results import LESIONS
from training.measures.intervals import mean_interval
from training.measures.statistics import mean_sd
from training.reports.case_facts import CaseFacts
from training.reports.paired_tests import TESTED, compared
from training.reports.scores import ModelScores
from training.reports.summaries import ALL, SUMMARY, SUMMARY_NOTE, Facts, dice_of, summary


@dataclass(frozen=True)
class _Grouping:
    """A table of Dice by groups of cases.

    Args:
        name: Of its CSV.
        title: Its title.
        note: How to read it.
        group: The group of a case.
        order: What the groups are sorted by.
    """

    name: str
    title: str
    note: str
    group: Callable[[CaseFacts], str]
    order: Callable[[CaseFacts], str | float]


def _tissue_type(facts: CaseFacts) -> str:
    return facts.tissue_type


def _volume(facts: CaseFacts) -> float:
    return facts.volume_ml


_ALL_CASES = _Grouping("table-2-models", "Models", "Dice (MSTT-199, table 2).", lambda _: ALL, _tissue_type)
_TISSUE_TYPES = _Grouping(
    "table-3-tissue-types", "Dice by tissue type", "MSTT-199, table 3.", _tissue_type, _tissue_type
)


def result_parts(models: Sequence[ModelScores], facts: Facts) -> list[Part]:
    """All tables of results."""
    return [
        _by_group(models, facts, _ALL_CASES),
        _by_group(models, facts, _TISSUE_TYPES),
        *(_sites(model, facts, at) for at, model in enumerate(models, start=1)),
        _by_group(
            models,
            facts,
            _Grouping("table-thirds", "Dice by size", "Thirds of all cases by volume.", facts.third, _volume),
        ),
        _beside(models, facts),
        _distances(models, facts),
        _lesions(models, facts),
    ]


def _by_group(models: Sequence[ModelScores], facts: Facts, by: _Grouping) -> Sheet:
    rows: list[tuple[Value, ...]] = []
    for model, cohort, cases in _cohorts(models, facts):
        names = list(dict.fromkeys(by.group(each) for each in sorted(cases, key=by.order)))
        for value in names:
            rows.append(
                (model.name, cohort, value, *summary(dice_of(model, [e for e in cases if by.group(e) == value])))
            )
        if len(names) > 1:
            rows.append((model.name, cohort, ALL, *summary(dice_of(model, cases))))
    head = (Column("model"), Column("cohort"), Column("group"))
    return Sheet(by.name, by.title, f"{by.note} {SUMMARY_NOTE}", (*head, *SUMMARY), tuple(rows), words=3)


def _cohorts(models: Sequence[ModelScores], facts: Facts) -> Iterator[tuple[ModelScores, str, list[CaseFacts]]]:
    """Each model with each cohort that it was tried on."""
    for model in models:
        for cohort in facts.cohorts:
            cases = [each for each in facts.by_case.values() if each.cohort == cohort and each.case in model.scores]
            if cases:
                yield model, cohort, cases


def _sites(model: ModelScores, facts: Facts, number: int) -> Sheet:
    """Mean Dice of each site and tissue type, the cases and the mean of the site."""
    types = facts.names(lambda each: each.tissue_type)
    rows: list[tuple[Value, ...]] = []
    for _, cohort, cases in _cohorts([model], facts):
        for site in facts.names(lambda each: each.site, cohort):
            here = dice_of(model, [each for each in cases if each.site == site])
            means = [mean_sd([dice for each, dice in here if each.tissue_type == name]).mean for name in types]
            if here:
                rows.append((cohort, site, *means, len(here), mean_sd([dice for _, dice in here]).mean))
    columns = (*(Column(name, ".3f") for name in types), Column("cases"), Column("mean Dice", ".3f"))
    return Sheet(
        f"table-4-sites-{number}",
        f"Dice by site: {model.name}",
        "Mean Dice by site and tissue type (MSTT-199, table 4); a dash where there is no case.",
        (Column("cohort"), Column("site"), *columns),
        tuple(rows),
        words=2,
    )


def _beside(models: Sequence[ModelScores], facts: Facts) -> Sheet:
    """InteractiveNet's table 2: mean and SD of every model by tissue type, with the t-test against the first."""
    rows: list[tuple[Value, ...]] = []
    for cohort in facts.cohorts:
        of_cohort = [each for each in facts.by_case.values() if each.cohort == cohort]
        for name in (*facts.names(lambda each: each.tissue_type, cohort), ALL):
            cases = [each for each in of_cohort if name in (each.tissue_type, ALL)]
            row: list[Value] = [cohort, name, len(cases)]
            for at, model in enumerate(models):
                spread = mean_sd([dice for _, dice in dice_of(model, cases)])
                row += [spread.mean, spread.sd]
                if at:
                    row.append(compared(model, models[0], cases, TESTED["Dice"]).found.t_test_p)
            rows.append(tuple(row))
    columns = [Column("cohort"), Column("tissue type"), Column("cases")]
    for at, model in enumerate(models):
        columns += [Column(f"{model.name}: mean", ".3f"), Column(f"{model.name}: SD", ".3f")]
        columns += [Column(f"{model.name}: p", ".2g")] if at else []
    note = (
        "Dice (InteractiveNet, table 2). p: two-sided paired t-test against the first model over patients, not "
        "corrected, as that paper has it; corrected tests are below."
    )
    title = "Models beside each other by tissue type"
    return Sheet("table-models-by-tissue-type", title, note, tuple(columns), tuple(rows), words=2)


def _distances(models: Sequence[ModelScores], facts: Facts) -> Sheet:
    rows: list[tuple[Value, ...]] = []
    for model, cohort, cases in _cohorts(models, facts):
        for words, measure in list(TESTED.items())[1:]:
            values = [measure(model.scores[each.case]) for each in cases]
            bounds = (0.0, 1.0 if "Dice" in words else float("inf"))
            interval = mean_interval(values, [each.patient for each in cases], bounds=bounds)
            spread = mean_sd(values)
            rows.append((model.name, cohort, words, spread.n, spread.mean, spread.sd, interval.lower, interval.upper))
    numbers = (Column("mean", ".2f"), Column("SD", ".2f"), Column("from", ".2f"), Column("to", ".2f"))
    columns = (Column("model"), Column("cohort"), Column("measure"), Column("cases"), *numbers)
    note = "Surfaces of voxels, as MONAI has them; no distance where nothing was drawn. Intervals as above."
    return Sheet("table-surfaces", "Surfaces", note, columns, tuple(rows), words=3)


def _lesions(models: Sequence[ModelScores], facts: Facts) -> Sheet:
    rows: list[tuple[Value, ...]] = []
    for model, cohort, cases in _cohorts(models, facts):
        counts = [found for each in cases if (found := model.scores[each.case].lesions) is not None]
        if counts:
            sums = [sum(found[name] for found in counts) for name in LESIONS]
            share = sums[1] / sums[0] if sums[0] else None
            rows.append((model.name, cohort, len(counts), *sums, share, sums[3] / len(counts)))
    counted = tuple(Column(name, "g") for name in LESIONS)
    head = (Column("model"), Column("cohort"), Column("cases"))
    columns = (*head, *counted, Column("share detected", ".3f"), Column("false a case", ".2f"))
    note = (
        "A lesion is detected where a tenth of its voxels is drawn; one that was drawn is false where less than a "
        "tenth of it lies in the reference."
    )
    return Sheet("table-lesions", "Lesions one by one", note, columns, tuple(rows), words=2)
