"""Rounds of learning with a simulated annotator, on a folder of images and masks or on phantoms; needs no database."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotation_backend.learning.examples.training_examples import TrainingExamples
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, write_bytes
from datasets.progress import ProgressOf
from datasets.study.splits.split_case import SplitCase
from training.fitting.running.running import ALONE, Running
from training.rounds.plan import RoundsPlan, planned_rounds

if TYPE_CHECKING:
    from training.evaluation.learning_curve import CurvePoint
    from training.rounds.rounds import RoundsRules
    from training.rounds.work import CaseWork

MOST_PHANTOMS = 1000


@dataclass(frozen=True)
class RoundsRequest:
    """What is simulated.

    Args:
        examples: The cases with their references.
        rules: Training and annotator.
        rounds: How many rounds.
        patients: New patients of each.
        out: Folder of everything, from which a stopped simulation goes on.
        about: A remark on the data, for the report.
    """

    examples: TrainingExamples
    rules: "RoundsRules"
    rounds: int
    patients: int
    out: Path
    about: str = ""


def simulate_rounds(request: RoundsRequest, progress_of: ProgressOf, *, running: Running = ALONE) -> dict[str, Any]:
    """Works the rounds through and writes the report.

    Args:
        request: What is simulated.
        progress_of: Makes the progress displays.
        running: How trainings run.

    Returns:
        The curve and the files, as plain JSON values.

    Raises:
        RejectedInput: As `planned_rounds` and `training.rounds.rounds.LearningRounds`.
    """
    from training.rounds.folder import FolderLoop
    from training.rounds.rounds import LearningRounds

    examples, rules = request.examples, request.rules
    seed = rules.annotator.seed
    plan = planned_rounds(examples.patients, rounds=request.rounds, patients=request.patients, seed=seed)
    loop = FolderLoop(plan, examples.load, rules, request.out, progress_of=progress_of, running=running)
    rounds = LearningRounds(plan, loop, rules, request.out, inputs=examples.inputs, progress_of=progress_of)
    return written_rounds(rounds.run(), plan, request.out, about=request.about)


def written_rounds(rows: "Sequence[CaseWork]", plan: RoundsPlan, out: Path, *, about: str = "") -> dict[str, Any]:
    """Writes the report of rounds that were worked through.

    Args:
        rows: Of all rounds.
        plan: Which cases were approved when.
        out: Folder of the page and its tables.
        about: A remark on the data.

    Returns:
        The curve and the files, as plain JSON values.
    """
    from training.rounds.report import PAGE_NAME, curve_points, rose_every_round, rounds_report

    report = rounds_report(rows, plan, about=about)
    for name, content in {PAGE_NAME: report.page, **report.tables}.items():
        write_bytes(out / name, content.encode())
    curves = {name: curve_points(rows, plan, name) for name in dict.fromkeys(row.strategy for row in rows)}
    rose = {name: rose_every_round(points) for name, points in curves.items()}
    return {
        "rounds": [list(cases) for cases in plan.rounds],
        "held_out": list(plan.held_out),
        "curves": {name: [_described(point) for point in points] for name, points in curves.items()},
        "dice_rose": next(iter(rose.values()))[0],
        "actions_fell": {name: fell for name, (_, fell) in rose.items()},
        "files": [PAGE_NAME, *report.tables],
    }


def _described(point: "CurvePoint") -> dict[str, Any]:
    dice, work = point.dice_mean, point.work_mean
    return {
        "name": point.name,
        "cases": point.cases,
        "dice": [dice.value, dice.lower, dice.upper],
        "actions": [work.value, work.lower, work.upper],
    }


def phantom_examples(count: int, *, seed: int) -> TrainingExamples:
    """Phantoms as training examples, drawn when they are needed.

    Args:
        count: How many.
        seed: Of the phantoms.

    Raises:
        RejectedInput: There is none, or more than `MOST_PHANTOMS` (``phantoms-count``).
    """
    from datasets.phantom.cohort import drawn_phantom
    from training.fitting.examples import Example

    if not 1 <= count <= MOST_PHANTOMS:
        raise RejectedInput(
            "phantoms-count", f"Expected 1 to {MOST_PHANTOMS} phantoms, got {count}.", remedy="Correct --phantoms."
        )
    names = {f"PHANTOM-{index + 1:04d}": index for index in range(count)}

    @cache
    def load(case: str) -> Example:
        drawn = drawn_phantom(names[case], seed=seed)
        return Example(drawn.case, drawn.case, drawn.volumes, drawn.mask)

    return TrainingExamples(
        cases={name: SplitCase(name, name, "") for name in names},
        load=load,
        images_of=lambda case: load(case).volumes.values(),
        size_of=lambda case: load(case).mask.volume_ml,
        inputs={"phantoms": sha256_of_bytes(canonical_json([count, seed]))},
    )
