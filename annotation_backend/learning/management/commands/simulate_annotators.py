"""`simulate_annotators`: simulated annotators complete cases with models and brush, against drawing by hand."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path, add_workers
from annotation_backend.commandline.cohort_arguments import add_cohort, add_device, use_device
from annotation_backend.learning.annotator_study import (
    needed_models,
    strategies_called,
    study_models,
    work_through,
)
from annotation_backend.learning.training_arguments import names, seed
from annotation_backend.learning.trial import EvaluationCohort, chosen_cases
from annotation_backend.registry.chosen_model import ChosenModel, choose_model, seen_cases
from datasets.files import write_bytes
from training.annotators.strokes import BrushSettings
from training.annotators.study import StudyRules, summary
from training.annotators.worker import StudyTask

DEFAULT_STRATEGIES = ("strokes", "clicks")


class Command(MaskloopCommand):
    """Counts actions and predicts seconds, case by case; needs no database for models that are folders or shipped."""

    help = "Simulate annotators who complete cases with models and brush, and compare with drawing by hand."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The cohort, the models, and the annotators' strategies."""
        add_cohort(parser, required=True)
        parser.add_argument("--cases", type=names, default=(), metavar="CASE,CASE", help="only these cases")
        parser.add_argument(
            "--strategies",
            type=names,
            default=DEFAULT_STRATEGIES,
            metavar="NAME,NAME",
            help="how annotators work: strokes, clicks, points, points-clicks, box, clicks-outwards, box-outwards",
        )
        parser.add_argument("--clicks-model", default="clicks-2d", help="answers clicks (default the shipped one)")
        parser.add_argument("--points-model", default="six-points", help="answers six points (default the shipped one)")
        parser.add_argument("--box-model", default="lite-medsam", help="answers boxes (default lite-medsam)")
        parser.add_argument(
            "--longest-stroke", type=float, default=100.0, metavar="MM", help="of brush or eraser (default 100 mm)"
        )
        parser.add_argument("--seed", type=seed, default=0, help="seed of every random choice")
        parser.add_argument("--out", type=a_path, metavar="FOLDER", help="finished cases; a stopped study goes on")
        parser.add_argument("--page", type=a_path, metavar="FILE.html", help="write a page with every case")
        add_workers(parser)
        add_device(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Simulates the annotators, case by case."""
        use_device(options)
        strategies = strategies_called(options["strategies"])
        chosen = {name: choose_model(options[f"{name}_model"]) for name in needed_models(strategies)}
        models = study_models(chosen)
        given = EvaluationCohort(
            options["cohort"],
            options["image_glob"],
            options["mask_glob"],
            options["cases"],
            options["resample"],
            options["mask_value"],
        )
        cohort = chosen_cases(list(chosen.values()), given)
        rules = StudyRules(brush=BrushSettings(longest_mm=options["longest_stroke"]), seed=options["seed"])
        tasks = [StudyTask(case, strategies, models, rules, given.resample) for case in cohort.cases]
        show = self.progress("case")
        rows, failed = work_through(tasks, out=options["out"], workers=options["workers"], progress=show)
        findings = [str(each) for each in (*cohort.findings, *failed)]
        findings += _learned_from(chosen, [case.case for case in cohort.cases])
        document = {
            "models": {name: model.title for name, model in chosen.items()},
            "strategies": [each.name for each in strategies],
            "rules": rules.described,
            "mask_values": list(cohort.cases[0].values),
            "summary": summary(rows),
            "cases": rows,
        }
        self._tell(document["summary"])
        if options["page"] is not None:
            self._write_page(options["page"], document | {"findings": findings})
        return document, findings

    def _write_page(self, page: Path, document: dict[str, Any]) -> None:
        from training.annotators.page import annotator_page

        write_bytes(page, annotator_page(document).encode())
        self.say(f"Page written: {page.name}")

    def _tell(self, found: Any) -> None:
        if not found["cases"]:
            return
        hand, outlined = found["by_hand"], found["outlined"]
        self.say(f"{found['cases']} case(s), {found['slices']} slices with tumour")
        self.say(f"  by hand: {hand['actions']:.1f} actions, outlined {outlined['actions']:.1f}; means over cases")
        for name, own in found["strategies"].items():
            self.say(
                f"  {name}: {own['actions']:.1f} actions, {own['ratio']['mean']:.2f} times fewer "
                f"(median {own['ratio']['median']:.2f}, worst {own['ratio']['worst']:.2f}; outlined "
                f"{own['ratio_outlined']['mean']:.2f}), Dice {own['dice']:.3f}, worst {own['dice_worst']:.3f}"
            )


def _learned_from(chosen: dict[str, ChosenModel], cases: list[str]) -> list[str]:
    """A finding for each model that was trained on cases of these names."""
    lines = []
    for model in chosen.values():
        if seen := seen_cases(model, cases):
            lines.append(
                f"{len(seen)} case(s) have the name of a training example of {model.title}. "
                "Their figures are not held-out; give the folder of its folds instead. [learned-from]"
            )
    return lines
