"""The study of simulated annotators on a folder of images and masks, case by case by workers; needs no database."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annotation_backend.compute import each_done
from annotation_backend.registry.chosen_model import ChosenModel
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, sha256_of_file
from datasets.finding import Finding
from datasets.progress import Progress
from training.annotators.strategy import STRATEGIES, Help, Strategy
from training.annotators.study import CaseRow
from training.annotators.worker import StudyModel, StudyTask, one_case
from training.methods.crossvalidation import TrainedFolds
from training.model_package import DESCRIPTION_NAME, read_description
from training.table.method import Method, PromptType
from training.table.table import methods

ROWS_NAME = "cases.jsonl"
"""One line for each finished case, so that a stopped study goes on."""

_PROMPTS = {"clicks": PromptType.POINT, "box": PromptType.BOX, "points": PromptType.EXTREME_POINTS}


def strategies_called(names: Sequence[str]) -> tuple[Strategy, ...]:
    """Strategies by their names, each once.

    Raises:
        RejectedInput: None is given, or there is no such strategy.
    """
    if not names or (unknown := [name for name in names if name not in STRATEGIES]):
        raise RejectedInput(
            "annotator-strategy",
            f"Expected strategies out of {', '.join(STRATEGIES)}, got {', '.join(unknown) if names else 'none'}.",
            remedy="Correct --strategies.",
        )
    return tuple(STRATEGIES[name] for name in dict.fromkeys(names))


def needed_models(strategies: Sequence[Strategy]) -> tuple[str, ...]:
    """The prompts, of ``clicks``, ``box`` and ``points``, for which the strategies need a model."""
    found = {
        "clicks": any(each.help is Help.CLICKS for each in strategies),
        "box": any(each.help is Help.BOX for each in strategies),
        "points": any(each.points for each in strategies),
    }
    return tuple(name for name, is_needed in found.items() if is_needed)


def study_models(chosen: dict[str, ChosenModel]) -> tuple[tuple[str, StudyModel], ...]:
    """The chosen models as workers load them.

    Raises:
        RejectedInput: A model cannot answer the prompts that it was chosen for.
    """
    for name, model in chosen.items():
        if not _answers(model.description.method, name):
            able = [each.name for each in methods().values() if _answers(each, name)]
            raise RejectedInput(
                "annotator-model-method",
                f"Expected a model of {' or '.join(able)} for {name}, got one of {model.description.method}.",
                remedy=f"Choose another with --{name}-model.",
            )
    return tuple((name, StudyModel(model.folder, model.digest)) for name, model in sorted(chosen.items()))


def _answers(method: Method, name: str) -> bool:
    """Whether a method answers the prompts of a name, slice by slice where they are clicks."""
    is_usual = method.usual_prompt is _PROMPTS[name]
    return is_usual and (method.draws_clicked_slices or name != "clicks")


def work_through(
    tasks: Sequence[StudyTask],
    *,
    out: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[list[CaseRow], list[Finding]]:
    """Simulates annotators on all cases; one that fails becomes a finding and the others go on.

    Args:
        tasks: One a case.
        out: Folder of finished cases, from which a stopped study goes on; None to keep none.
        workers: As for `each_done`.
        progress: Called with (cases done, cases to do).

    Returns:
        Rows in the order of the cases' names, and a finding for each case that failed.
    """
    keys = {task.case.case: _key(task) for task in tasks}
    kept = {} if out is None else _kept(out / ROWS_NAME)
    rows = {case: kept[key] for case, key in keys.items() if key in kept}
    left = [task for task in tasks if task.case.case not in rows]
    findings = []
    for outcome in each_done(one_case, left, key=lambda task: task.case.case, workers=workers, progress=progress):
        case = outcome.item.case.case
        if outcome.result is None:
            findings.append(outcome.finding_about(case))
            continue
        rows[case] = outcome.result
        if out is not None:
            _keep(out / ROWS_NAME, keys[case], outcome.result)
    return [rows[case] for case in sorted(rows)], findings


def _key(task: StudyTask) -> str:
    """Digest of a case's files, models and rules: a kept row is used again only if all are the same."""
    files = [sha256_of_file(path) for path in (*task.case.images.values(), task.case.mask)]
    models = {name: model.digest or _fold_digests(model.folder) for name, model in task.models}
    strategies = [repr(each) for each in task.strategies]
    return sha256_of_bytes(canonical_json([task.case.case, files, models, strategies, task.rules.described]))


def _fold_digests(folder: Path) -> list[str]:
    trained = TrainedFolds.read(folder)
    packages = [trained.package(number) for number in range(len(trained.folds))]
    return [read_description(each).digest if (each / DESCRIPTION_NAME).exists() else "" for each in packages]


def _kept(path: Path) -> dict[str, CaseRow]:
    """Kept rows by key; a line that a crash cut off is left out."""
    if not path.exists():
        return {}
    found: dict[str, CaseRow] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
            found[str(entry["key"])] = dict(entry["row"])
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _keep(path: Path, key: str, row: CaseRow) -> None:
    """Appends a row as a line; a line that was cut off before it gets its line break first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as stream:
        stream.seek(0, os.SEEK_END)
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
        stream.write((json.dumps({"key": key, "row": row}, sort_keys=True) + "\n").encode())
        stream.flush()
        os.fsync(stream.fileno())
