"""Paired tests between models, corrected for their number; one image against several images as a question."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, permutations

from datasets.pages.sheets import Column, Part, Sheet, Value
from training.measures.comparison import Paired, paired_by_patient
from training.measures.statistics import adjusted
from training.reports.case_facts import CaseFacts
from training.reports.scores import ModelScores, Score
from training.reports.summaries import ALL, Facts

Measure = Callable[[Score], float | None]

TESTED: Mapping[str, Measure] = {
    "Dice": lambda score: score.dice,
    "ASSD (mm)": lambda score: score.assd_mm,
    "HD95 (mm)": lambda score: score.hd95_mm,
    "surface Dice at 1 mm": lambda score: score.surface_dice_1mm,
}

SHOWN = 0.05
"""Adjusted p-values below it are called a difference."""

_DIFFERENCE = (
    Column("patients"),
    Column("cases without"),
    Column("first − second", ".3f"),
    Column("SD", ".3f"),
    Column("from", ".3f"),
    Column("to", ".3f"),
    Column("t-test p", ".2g"),
    Column("t-test adjusted", ".2g"),
    Column("Wilcoxon p", ".2g"),
    Column("Wilcoxon adjusted", ".2g"),
)
_NOTE = (
    "Two-sided paired t-test and Wilcoxon signed-rank test over patients (the mean of a patient's cases), adjusted for "
    "their number after Benjamini and Hochberg over all rows. From and to: 95 % interval of the mean difference. Cases "
    "without: one of the two has no value, such as a distance where nothing was drawn; they are in no test."
)


def paired_parts(models: Sequence[ModelScores], facts: Facts) -> list[Part]:
    """The tests between each two models, and the question of the images."""
    return [part for part in (_tests(models, facts), _images(models, facts)) if part.rows]


def _tests(models: Sequence[ModelScores], facts: Facts) -> Sheet:
    """Each two models in each cohort: all measures over all cases, and Dice in each tissue type."""
    heads: list[tuple[Value, ...]] = []
    found: list[Paired] = []
    for first, second in combinations(models, 2):
        for cohort in facts.cohorts:
            of_cohort = [each for each in facts.by_case.values() if each.cohort == cohort]
            types = facts.names(lambda each: each.tissue_type, cohort)
            wanted = [(ALL, words) for words in TESTED] + [(name, "Dice") for name in types if len(types) > 1]
            for group, words in wanted:
                cases = [each for each in of_cohort if group in (each.tissue_type, ALL)]
                pair = compared(first, second, cases, TESTED[words])
                if pair.found.n or pair.without:
                    heads.append((first.name, second.name, cohort, group, words))
                    found.append(pair)
    columns = tuple(map(Column, ("first", "second", "cohort", "group", "measure")))
    rows = tuple((*head, *row) for head, row in zip(heads, with_adjusted(found), strict=True))
    return Sheet("tests", "Differences between models", _NOTE, (*columns, *_DIFFERENCE), rows, words=5)


def _images(models: Sequence[ModelScores], facts: Facts) -> Sheet:
    """Models of one method of which one takes all images of the other and more."""
    heads, found = [], []
    for more, fewer in permutations(models, 2):
        if more.method != fewer.method or not set(fewer.images) < set(more.images) or not fewer.images:
            continue
        for cohort in facts.cohorts:
            cases = [each for each in facts.by_case.values() if each.cohort == cohort]
            pair = compared(more, fewer, cases, TESTED["Dice"])
            if pair.found.n:
                heads.append(
                    (f"{more.name}: {' + '.join(more.images)}", f"{fewer.name}: {' + '.join(fewer.images)}", cohort)
                )
                found.append(pair)
    rows = [(*head, _answer(row), *row) for head, row in zip(heads, with_adjusted(found), strict=True)]
    columns = tuple(map(Column, ("several images", "fewer images", "cohort", "answer")))
    title = "Do several images draw better than one?"
    note = f"Dice of models of one method; first: more images. Decided by the adjusted Wilcoxon test. {_NOTE}"
    return Sheet("question-images", title, note, (*columns, *_DIFFERENCE), tuple(rows), words=4)


def _answer(row: Sequence[Value]) -> str:
    difference, p = row[2], row[-1]
    if not isinstance(p, float) or not isinstance(difference, float):
        return "too few patients to say"
    if p >= SHOWN:
        return "no difference was shown"
    return "yes" if difference > 0 else "no, worse"


def compared(first: ModelScores, second: ModelScores, cases: Sequence[CaseFacts], measure: Measure) -> Paired:
    """The tests over the patients of the cases that both drew."""
    one, other = (
        {each.case: measure(model.scores[each.case]) for each in cases if each.case in model.scores}
        for model in (first, second)
    )
    return paired_by_patient(one, other, {each.case: each.patient for each in cases})


def with_adjusted(pairs: Sequence[Paired]) -> list[tuple[Value, ...]]:
    """Rows of differences, with p-values adjusted over all of them."""
    t_tests = adjusted([each.found.t_test_p for each in pairs])
    wilcoxons = adjusted([each.found.wilcoxon_p for each in pairs])
    return [
        (
            pair.found.n,
            pair.without,
            pair.found.mean_difference,
            pair.found.sd_difference,
            *pair.interval,
            pair.found.t_test_p,
            t_test,
            pair.found.wilcoxon_p,
            wilcoxon,
        )
        for pair, t_test, wilcoxon in zip(pairs, t_tests, wilcoxons, strict=True)
    ]
