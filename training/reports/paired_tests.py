"""Paired tests between models, corrected for their number; one image against several images as a question."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, permutations

from training.measures.intervals import mean_interval
from training.measures.statistics import Comparison, adjusted, compare, mean_sd
from training.reports.case_facts import CaseFacts
from training.reports.scores import ModelScores, Score
from training.reports.sheets import Column, Part, Sheet, Value
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
    "their number after Benjamini and Hochberg over all rows. From and to: 95 % interval of the mean difference."
)


def _by_patient(model: ModelScores, cases: Iterable[CaseFacts], measure: Measure) -> dict[str, float | None]:
    """A measure of each patient: the mean over the patient's cases, None where none has it."""
    found: dict[str, list[float | None]] = {}
    for facts in cases:
        found.setdefault(facts.patient, []).append(measure(model.scores[facts.case]))
    return {patient: mean_sd(values).mean for patient, values in found.items()}


def paired_parts(models: Sequence[ModelScores], facts: Facts) -> list[Part]:
    """The tests between each two models, and the question of the images."""
    return [part for part in (_tests(models, facts), _images(models, facts)) if part.rows]


def _tests(models: Sequence[ModelScores], facts: Facts) -> Sheet:
    """Each two models in each cohort: all measures over all cases, and Dice in each tissue type."""
    heads: list[tuple[Value, ...]] = []
    found: list[tuple[Comparison, Sequence[Value]]] = []
    for first, second in combinations(models, 2):
        for cohort in facts.cohorts:
            of_cohort = [each for each in facts.by_case.values() if each.cohort == cohort]
            types = facts.names(lambda each: each.tissue_type, cohort)
            wanted = [(ALL, words) for words in TESTED] + [(name, "Dice") for name in types if len(types) > 1]
            for group, words in wanted:
                cases = [each for each in of_cohort if group in (each.tissue_type, ALL)]
                pair = compared(first, second, cases, TESTED[words])
                if pair[0].n:
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
            if pair[0].n:
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
    difference, p = row[1], row[-1]
    if not isinstance(p, float) or not isinstance(difference, float):
        return "too few patients to say"
    if p >= SHOWN:
        return "no difference was shown"
    return "yes" if difference > 0 else "no, worse"


def compared(
    first: ModelScores, second: ModelScores, cases: Sequence[CaseFacts], measure: Measure
) -> tuple[Comparison, Sequence[Value]]:
    """The tests over the patients of the cases that both drew, with the interval of the mean difference."""
    shared = [each for each in cases if each.case in first.scores and each.case in second.scores]
    one, other = _by_patient(first, shared, measure), _by_patient(second, shared, measure)
    pairs = [(one[name], other.get(name)) for name in one]
    differences = [None if a is None or b is None else a - b for a, b in pairs]
    interval = mean_interval(differences, list(one))
    return compare(one, other), (interval.lower, interval.upper)


def with_adjusted(found: Sequence[tuple[Comparison, Sequence[Value]]]) -> list[tuple[Value, ...]]:
    """Rows of differences, with p-values adjusted over all of them."""
    t_tests = adjusted([each.t_test_p for each, _ in found])
    wilcoxons = adjusted([each.wilcoxon_p for each, _ in found])
    return [
        (each.n, each.mean_difference, each.sd_difference, *ends, each.t_test_p, t_test, each.wilcoxon_p, wilcoxon)
        for (each, ends), t_test, wilcoxon in zip(found, t_tests, wilcoxons, strict=True)
    ]
