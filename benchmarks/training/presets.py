"""A method's default settings against a preset: the same folds, and the same time for each fold.

    python -m benchmarks.training.presets --cohort DIR --image-glob 't1=*/MR_T1_image.nii.gz' \\
        --mask-glob '*/MR_T1_mask.nii.gz' [--minutes 60] [--folds 5] [--folder study/presets]

How long an iteration of either takes is measured first and kept, in seconds of one core, which other programs do not
lengthen. Each side is then trained for as many iterations as fit into the minutes, its schedule of the learning rate
with them, and both are evaluated and reported. Started again, it goes on. `--encoder-weights` are for the preset.
Fails where the defaults are not the better, by the mean of Dice over patients.
"""

import argparse
import csv
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets.errors import RejectedInput
from datasets.files import write_json

logger = logging.getLogger("benchmarks.training.presets")

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = "default"

_FIRST = 2
"""Iterations of the run that is taken away from the longer one: what both spend on reading and preparing."""

_LEAST_SECONDS = 30.0
"""What the longer run must take beyond the first one, so that the noise of reading counts little."""


@dataclass(frozen=True)
class Question:
    """What is compared.

    Args:
        method: The method.
        preset: Name of its preset.
        minutes: Of one core, for each fold.
        cases: Arguments of the commands that name the cases.
        split: Arguments of `train_model` that name the folds.
        weights: Arguments of `train_model` for the preset's side alone.
    """

    method: str
    preset: str
    minutes: float
    cases: tuple[str, ...]
    split: tuple[str, ...]
    weights: tuple[str, ...] = ()

    @property
    def sides(self) -> dict[str, tuple[str, ...]]:
        """The settings of either side, by its name."""
        return {DEFAULT: (), self.preset: ("--preset", self.preset, *self.weights)}

    def training(self, side: str, iterations: int, out: Path) -> list[str]:
        """The command that trains a side."""
        common = (*self.cases, *self.split, "--iterations", str(iterations), "--out", str(out))
        return ["train_model", self.method, *common, *self.sides[side]]


def main() -> int:
    """Measures, trains, evaluates, reports; 1 where the defaults are not the better."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    asked = _arguments()
    globs = ("--image-glob", *asked.image_glob, "--mask-glob", asked.mask_glob)
    weights = ("--encoder-weights", str(asked.encoder_weights.absolute())) if asked.encoder_weights else ()
    question = Question(
        asked.method,
        asked.preset,
        asked.minutes,
        ("--cohort", str(asked.cohort.absolute()), *globs),
        ("--folds", str(asked.folds), "--split", asked.split),
        weights,
    )
    folder: Path = asked.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    seconds = kept_seconds(folder / "seconds.json", question)
    evaluations = []
    for side in question.sides:
        iterations = iterations_in(question.minutes, seconds[side])
        logger.info(f"{side}: {seconds[side]:.2f} s an iteration, {iterations} iterations a fold")
        _manage(*question.training(side, iterations, folder / side))
        evaluations.append(_evaluated(question, side, folder))
    report = folder / "report"
    table = ("--case-table", str(asked.case_table.absolute())) if asked.case_table else ()
    _manage("report_models", *map(str, evaluations), "--out", str(report), *table)
    return 0 if _told(report) else 1


def iterations_in(minutes: float, seconds: float) -> int:
    """Iterations that fit into some minutes, at least one."""
    return max(1, int(minutes * 60.0 / seconds))


def kept_seconds(path: Path, question: Question) -> dict[str, float]:
    """Seconds of an iteration of either side, measured once for a question.

    Raises:
        RejectedInput: The file is of another question (``study-other``).
    """
    asked = {name: list(each) if isinstance(each, tuple) else each for name, each in vars(question).items()}
    if not path.exists():
        measured = {side: _seconds_of(question, side) for side in question.sides}
        write_json(path, {"question": asked, "seconds": measured})
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept["question"] != asked:
        raise RejectedInput(
            "study-other",
            "The folder holds a comparison with other cases, folds, settings or minutes.",
            remedy="Choose another --folder, or give what it was begun with.",
        )
    return {side: float(kept["seconds"][side]) for side in question.sides}


def _seconds_of(question: Question, side: str) -> float:
    """Seconds of one core that an iteration takes, without what is spent once."""
    short, more = _burnt(question, side, _FIRST), 4
    while True:
        spent = _burnt(question, side, _FIRST + more) - short
        if spent >= _LEAST_SECONDS:
            return spent / more
        more = min(more * 8, int(more * 2 * _LEAST_SECONDS / max(spent, 1.0)) + 1)


def _burnt(question: Question, side: str, iterations: int) -> float:
    with tempfile.TemporaryDirectory() as scratch:
        return _manage(*question.training(side, iterations, Path(scratch) / "out"), "--fold", "1")


def _evaluated(question: Question, side: str, folder: Path) -> Path:
    """The file of a side's evaluation, each case drawn by the fold that never saw it; made once."""
    path = folder / f"{side}.json"
    if not path.exists():
        asked = ("evaluate_model", f"{side}={folder / side}", *question.cases, "--clicks", "0", "--seeds", "1")
        _manage(*asked, "--json", out=path)
    return path


def _manage(*arguments: str, out: Path | None = None) -> float:
    """Runs a command of Maskloop on one core; the seconds that it took of it. Findings are no failure."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    part = None if out is None else out.with_suffix(".part")
    stream: Any = sys.stderr if part is None else part.open("wb")
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    done = subprocess.run(command, stdout=stream, env=environment, check=False)  # noqa: S603 (our own program)
    if part is not None and out is not None:
        stream.close()
        if done.returncode in (0, 1):
            part.replace(out)
    if done.returncode not in (0, 1):
        raise SystemExit(done.returncode)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _told(report: Path) -> bool:
    """Prints the results; whether the defaults are the better."""
    models = _rows(report / "table-2-models.csv")
    logger.info("| | cases | mean Dice | SD | median | misses |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for row in models:
        logger.info("| " + " | ".join(row[head] for head in ("model", *_FIGURES)) + " |")
    [test] = [row for row in _rows(report / "tests.csv") if (row["group"], row["measure"]) == ("all", "Dice")]
    told = ", ".join(f"{head} {test[head]}" for head in ("first − second", "from", "to", "Wilcoxon p", "t-test p"))
    logger.info(f"{test['first']} against {test['second']}, {test['patients']} patients: {told}")
    return is_better(test)


_FIGURES = ("cases", "mean Dice", "SD", "median", "misses")


def is_better(test: Mapping[str, str]) -> bool:
    """Whether the first model's Dice is the higher in a row of the report's tests."""
    return float(test["first − second"] or 0.0) > 0.0


def _rows(path: Path) -> Sequence[Mapping[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--image-glob", nargs="+", required=True, metavar="[NAME=]GLOB")
    parser.add_argument("--mask-glob", required=True, metavar="GLOB")
    parser.add_argument("--case-table", type=Path, metavar="FILE.csv", help="whose the cases are, for the report")
    parser.add_argument("--method", default="unet-25d")
    parser.add_argument("--preset", default="mstt-199")
    parser.add_argument("--encoder-weights", type=Path, metavar="FILE", help="ImageNet weights for the preset")
    parser.add_argument("--minutes", type=float, default=60.0, help="of one core, for each fold (default 60)")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--split", default="stratified")
    parser.add_argument("--folder", type=Path, default=Path("study/presets"), help="goes on in it after a stop")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
