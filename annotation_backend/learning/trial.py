"""Trial of models on a folder of images and masks with simulated users; no database is needed."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from annotation_backend.commandline.cohort_arguments import Named, by_kind
from annotation_backend.registry.chosen_model import ChosenModel, seen_cases
from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.finding import Finding
from datasets.formats.nifti import write_mask
from datasets.progress import Progress
from datasets.study.cohort import Cohort, CohortCase, read_cohort
from datasets.study.cohort_values import with_mask_values
from datasets.study.image_kind import T1
from training.evaluation.results import Evaluation
from training.measures.comparison import compare_evaluations
from training.methods.needs import channels_of, user_of
from training.prompts.simulated_clicks import ClickRule
from training.prompts.simulated_user import Habits


@dataclass(frozen=True)
class EvaluationCohort:
    """The images and masks that models are tried on.

    Args:
        folder: The cohort's folder.
        images: Glob of each channel; a glob without a name is the model's first channel.
        mask: Glob of the masks.
        only: Names of the cases to take; empty for all.
        resample: Bring images on other grids onto the mask's.
        mask_value: Value of the masks that is the tumour, as given by --mask-value; empty if not given.
    """

    folder: Path
    images: Sequence[Named]
    mask: str
    only: tuple[str, ...] = ()
    resample: bool = False
    mask_value: str = ""


@dataclass(frozen=True)
class EvaluationPlan:
    """Settings of a trial of models.

    Args:
        clicks: Most clicks of a session.
        seeds: Sessions of each case.
        rule: Rule by which click users choose their clicks.
        per_slice: Whether every slice is a session of its own; None for the method's default.
        slices_per_case: Most slices of a case; None for all.
        with_depth: Whether box users draw one box around all of the tumour, not one on every slice.
        is_cleaned: Whether each fold's masks are cleaned as is best for the other folds' cases, as the figures of runs.
    """

    clicks: int = 10
    seeds: int = 3
    rule: ClickRule = ClickRule.DEEPGROW
    per_slice: bool | None = None
    slices_per_case: int | None = None
    with_depth: bool = False
    is_cleaned: bool = True


def cohort_for(model: ChosenModel, given: EvaluationCohort) -> Cohort:
    """The cases with the images that a model needs.

    Raises:
        RejectedInput: As `read_cohort` and `with_mask_values`; an image that the model needs has no glob; a case of
            `only` does not exist.
    """
    takes_any = model.description.method.takes_any_image
    return _cohort_with(model.title, channels_of(model.description), given, takes_any=takes_any)


def chosen_cases(models: Sequence[ChosenModel], given: EvaluationCohort) -> Cohort:
    """The cases with the images that several models need, or with those given if there is no model.

    Raises:
        RejectedInput: As `cohort_for`.
    """
    needed = tuple(dict.fromkeys(kind for each in models for kind in each.description.kinds))
    title = " and ".join(each.title for each in models) or "the study"
    return _cohort_with(title, needed or (T1,), given, takes_any=not needed)


def _cohort_with(title: str, needed: tuple[str, ...], given: EvaluationCohort, *, takes_any: bool) -> Cohort:
    globs = by_kind(given.images, needed[0])
    if takes_any:
        needed = tuple(globs)[:1]
    if missing := [channel for channel in needed if channel not in globs]:
        raise RejectedInput(
            "cohort-channels",
            f"{title} needs the images {', '.join(needed)}; no glob was given for {', '.join(missing)}.",
            remedy="Give each by name, e.g. --image-glob t1='*/T1.nii.gz' t2='*/T2.nii.gz'.",
        )
    cohort = read_cohort(given.folder, {channel: globs[channel] for channel in needed}, given.mask)
    return _only(with_mask_values(cohort, given.folder, given.mask_value), given.only)


def evaluate_model(
    model: ChosenModel,
    cases: Sequence[CohortCase],
    plan: EvaluationPlan,
    *,
    resample: bool = False,
    masks: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Tries one model; cases that it cannot draw are refused by name and the others go on.

    Args:
        model: The model.
        cases: The cases.
        plan: How they are tried.
        resample: Bring images on other grids onto the masks'.
        masks: Folder for the masks that it draws (`mask_file`); None to keep none.
        progress: Called with sessions done and to do.

    Raises:
        RejectedInput: No case could be drawn, the model is damaged, a number is out of range, or masks of two cases
            would lie in one file (``cases-one-name``).
    """
    from training.evaluation.evaluation import evaluate
    from training.evaluation.sessions import SessionPlan
    from training.methods.fold_evaluation import evaluate_folds

    if masks is not None:
        _require_files([case.case for case in cases])
    method = model.description.method
    is_per_slice = method.draws_clicked_slices if plan.per_slice is None else plan.per_slice
    tried = partial(
        evaluate,
        user=user_of(method, Habits(plan.rule, with_depth=plan.with_depth)),
        plan=SessionPlan(
            clicks=plan.clicks,
            seeds=plan.seeds,
            per_slice=is_per_slice,
            slices_per_case=plan.slices_per_case,
            resample=resample,
        ),
        model=model.title,
    )
    keep = None if masks is None else lambda case, mask: write_mask(_made(mask_file(masks, model.title, case)), mask)
    if model.is_of_folds:
        found = evaluate_folds(
            model.tried_folds(),
            cases,
            tried,
            is_cleaned=plan.is_cleaned and not is_per_slice,  # a cleaning looks at the whole volume
            resample=resample,
            keep=keep,
            progress=progress,
        )
    else:
        found = tried(model.segmenter(), cases, keep=keep, progress=progress)
    if not found.cases:
        reasons = sorted({f"{each.message} {each.remedy} [{each.code}]" for each in found.refused})
        raise RejectedInput(
            "nothing-evaluated",
            f"{model.title} could draw none of {len(cases)} case(s): {' '.join(reasons)}",
            remedy="Correct the causes above.",
        )
    return found


def mask_file(folder: Path, title: str, case: str) -> Path:
    """Where the mask lies that a model drew of a case: ``<folder>/<model>/<case>.nii.gz``, in words without blanks."""
    return folder / plain_word(title) / f"{plain_word(case)}.nii.gz"


def plain_word(name: str) -> str:
    """A name as a part of a path, without blanks or slashes; letters of any script stay."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "_"


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def document_of(
    found: Evaluation,
    model: ChosenModel,
    cohort: Cohort,
    *,
    masks: Path | None = None,
    patients: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The JSON document of a trial, with the model's method, images and folds, and the cases that it learned from.

    Args:
        found: The trial.
        model: The model.
        cohort: Its cases.
        masks: Folder of the masks that were drawn, by whose digests a report knows them again; None for none.
        patients: Code of each case's patient; None where nothing says.
    """
    document = found.as_dict()
    drawn = [] if masks is None else [(case.case, mask_file(masks, found.model, case.case)) for case in found.cases]
    known = {"masks": {case: sha256_of_file(path) for case, path in drawn}, "patients": dict(patients or {})}
    document["summary"] |= {
        "mask_values": list(cohort.cases[0].values),
        "method": model.method_name,
        "images": list(model.description.kinds),
        "folds": [list(fold) for fold in model.folds],
        "learned_from": seen_cases(model, [case.case for case in cohort.cases]),
    } | {name: values for name, values in known.items() if values}
    return document


def require_names(models: Sequence[ChosenModel]) -> None:
    """Refuses two models of one name: their masks and evaluations would lie at one place.

    Raises:
        RejectedInput: ``models-one-name``.
    """
    words = [plain_word(model.title) for model in models]
    if twice := sorted({model.title for model in models if words.count(plain_word(model.title)) > 1}):
        raise RejectedInput(
            "models-one-name",
            f"Two models are called {' or '.join(twice)}, so that files of one would pass for those of the other.",
            remedy="Call them otherwise, e.g. first=FOLDER second=FOLDER.",
        )


def _require_files(cases: Sequence[str]) -> None:
    """Refuses cases whose names become one file's: the mask of one would pass for the other's.

    Raises:
        RejectedInput: ``cases-one-name``.
    """
    count = Counter(map(plain_word, cases))
    if alike := [case for case in cases if count[plain_word(case)] > 1]:
        raise RejectedInput(
            "cases-one-name",
            f"Masks of the cases {' and '.join(alike[:3])} would lie in one file, since only letters, digits, dots and "
            "hyphens of their names are kept.",
            remedy="Rename their folders, or leave --masks out.",
        )


def require_clicks_for(models: Sequence[ChosenModel]) -> None:
    """Refuses a rule for clicks if no model takes clicks.

    Raises:
        RejectedInput: No model does.
    """
    if not any(model.description.method.is_corrected for model in models):
        raise RejectedInput(
            "user-without-clicks",
            "No chosen model takes clicks, and --user only chooses how clicks are simulated.",
            remedy="Leave --user out; points and boxes have one simulated user each.",
        )


def require_folds_for(models: Sequence[ChosenModel]) -> None:
    """Refuses masks as each fold draws them if no model is a folder of folds: a package says itself how it cleans.

    Raises:
        RejectedInput: None is (``raw-without-folds``).
    """
    if not any(model.is_of_folds for model in models):
        raise RejectedInput(
            "raw-without-folds",
            "--raw leaves the post-processing of folds out, and no chosen model is a folder of folds.",
            remedy="Leave --raw out; a package's own post-processing is part of it.",
        )


def comparison_of(documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Paired tests between models over the patients of the cases they share, as plain values."""
    return [
        {"first": row.first, "second": row.second, "measure": row.measure, "without": row.without} | asdict(row.found)
        for row in compare_evaluations(documents)
    ]


def refusals(found: Evaluation, left_out: Sequence[Finding]) -> list[str]:
    """One line for each case that was left out or refused."""
    lines = [f"{each.subject}: {each.message} {each.remedy} [{each.code}]" for each in left_out]
    return lines + [f"{each.case}: {found.model}: {each.message} {each.remedy} [{each.code}]" for each in found.refused]


def _only(cohort: Cohort, names: Sequence[str]) -> Cohort:
    if not names:
        return cohort
    known = {case.case: case for case in cohort.cases}
    if missing := sorted(set(names) - known.keys()):
        raise RejectedInput(
            "cohort-only",
            f"The cohort has no case called {' or '.join(missing)}, which --only names.",
            remedy=f"Name cases of the cohort: {', '.join(list(known)[:20])}{' …' if len(known) > 20 else ''}.",
        )
    findings = tuple(finding for finding in cohort.findings if not finding.code.startswith("cohort-no-"))
    return Cohort(tuple(known[name] for name in sorted(set(names))), findings)
