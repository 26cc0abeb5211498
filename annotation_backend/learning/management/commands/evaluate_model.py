"""`evaluate_model`: simulated users try a model on a folder of images and masks."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.commandline.cohort_arguments import add_cohort, add_device, use_device
from annotation_backend.learning.model_reports import case_table
from annotation_backend.learning.training_arguments import names
from annotation_backend.learning.trial import (
    EvaluationCohort,
    EvaluationPlan,
    cohort_for,
    comparison_of,
    document_of,
    evaluate_model,
    refusals,
    require_clicks_for,
    require_folds_for,
    require_names,
)
from annotation_backend.registry.tried_models import named_model
from datasets.errors import RejectedInput
from datasets.files import write_bytes
from training.evaluation.results import cleanings_in_words
from training.prompts.simulated_clicks import ClickRule


class Command(MaskloopCommand):
    """Measures masks after every prompt, case by case; needs no database for models that are folders or shipped."""

    help = "Evaluate a model on a folder of images and masks with a simulated user."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The model, the cohort, and how the model is tried."""
        parser.add_argument(
            "model",
            metavar="[NAME=]MODEL",
            help="shipped name (six-points), folder of a model or of folds, name-version, or FOLDER+FOLDER, their mean",
        )
        add_cohort(parser, required=True)
        parser.add_argument("--only", type=names, default=(), metavar="CASE,CASE", help="only these cases")
        parser.add_argument("--clicks", type=int, default=10, help="most clicks of a session (default 10)")
        parser.add_argument("--seeds", type=int, default=3, help="sessions of each case (default 3)")
        parser.add_argument(
            "--user", choices=[rule.value for rule in ClickRule], help="rule of simulated clicks (default deepgrow)"
        )
        parser.add_argument("--box-with-depth", action="store_true", help="box users draw one box with depth")
        parser.add_argument(
            "--per-slice", action="store_true", default=None, help="each slice is a session (clicks-2d: always)"
        )
        parser.add_argument("--slices-per-case", type=int, metavar="N", help="most slices of each case")
        parser.add_argument(
            "--raw",
            action="store_true",
            help="of folds: masks as each fold draws them, without the post-processing that is best for the others",
        )
        parser.add_argument(
            "--against", nargs="+", default=[], metavar="[NAME=]MODEL", help="other models, compared in pairs"
        )
        parser.add_argument(
            "--case-table",
            type=a_path,
            metavar="FILE.csv",
            help="case and patient; without it, each case is a patient",
        )
        parser.add_argument("--page", type=a_path, metavar="FILE.html", help="write a page with Dice against clicks")
        parser.add_argument("--masks", type=a_path, metavar="FOLDER", help="write the masks that are drawn")
        parser.add_argument("--dry-run", action="store_true", help="only say which cases would be drawn")
        add_device(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Evaluates each model on the cases and writes the report."""
        use_device(options)
        _require_page(options["page"])
        models = [named_model(given) for given in (options["model"], *options["against"])]
        if options["masks"]:
            require_names(models)
        if options["user"]:
            require_clicks_for(models)
        if options["raw"]:
            require_folds_for(models)
        given = EvaluationCohort(
            options["cohort"],
            options["image_glob"],
            options["mask_glob"],
            options["only"],
            options["resample"],
            options["mask_value"],
        )
        cohorts = [cohort_for(model, given) for model in models]
        if options["dry_run"]:
            cases = [case.case for case in cohorts[0].cases]
            self.say(f"{len(cases)} case(s): {', '.join(cases)}")
            return {"model": models[0].title, "would_evaluate": cases}, [str(each) for each in cohorts[0].findings]
        patients = _patients(options["case_table"], [case.case for cohort in cohorts for case in cohort.cases])
        plan = _plan(options)
        documents, findings = [], []
        for model, cohort in zip(models, cohorts, strict=True):
            show = self.progress(f"{model.title}: session")
            found = evaluate_model(
                model, cohort.cases, plan, resample=given.resample, masks=options["masks"], progress=show
            )
            documents.append(document_of(found, model, cohort, masks=options["masks"], patients=patients))
            findings += refusals(found, cohort.findings) + _learned_from(documents[-1])
            self._tell(documents[-1])
        return self._document(documents, options["page"]), list(dict.fromkeys(findings))

    def _document(self, documents: list[dict[str, Any]], page: Path | None) -> dict[str, Any]:
        """The model's document; with several models also the others' and the tests between them."""
        if page is not None:
            from training.evaluation.report import report_page

            write_bytes(page, report_page(documents).encode())
            self.say(f"Page written: {page.name}")
        if len(documents) == 1:
            return documents[0]
        return {**documents[0], "against": documents[1:], "comparison": comparison_of(documents)}

    def _tell(self, document: dict[str, Any]) -> None:
        summary = document["summary"]
        self.say(f"{document['model']}: {summary['evaluated']} case(s), {summary['user']}")
        dice = summary["dice"]
        for count, mean, spread in zip(summary["clicks"], dice["mean"], dice["sd"], strict=True):
            around = "" if spread is None else f" ± {spread:.3f}"
            self.say(f"  Dice {mean:.3f}{around}" + (f" after {count} click(s)" if len(dice["mean"]) > 1 else ""))
        if splits := summary.get("splits"):
            found = splits["dice"]
            around = "" if found["sd"] is None else f" ± {found['sd']:.3f}"
            self.say(f"  Dice {found['mean']:.3f}{around} over {found['n']} random splits, each drawn by its own model")
        if (cleanings := summary.get("cleanings")) is not None:
            self.say(f"  post-processing: {cleanings_in_words(cleanings)}")
        worst = summary["worst"]
        self.say(f"  worst: {worst['case']}, {worst['dice']:.3f}")


def _patients(path: Path | None, cases: list[str]) -> dict[str, str]:
    """The patient of each case, by a table of cases.

    Raises:
        RejectedInput: The file is no table of cases, or lacks one.
    """
    from training.reports.case_facts import require_listed

    table = case_table(path)
    require_listed(cases, table)
    return {case: table[case].get("patient") or case for case in cases if case in table}


def _learned_from(document: dict[str, Any]) -> list[str]:
    """A finding if cases have the names of a single model's training examples; folds are never tried on their own."""
    if not (seen := document["summary"]["learned_from"]):
        return []
    names = ", ".join(seen[:5]) + (f" and {len(seen) - 5} more" if len(seen) > 5 else "")
    return [
        f"{len(seen)} case(s) have the name of a training example of {document['model']}: {names}. "
        "Their figures are not held-out; evaluate the folder of its folds instead. [learned-from]"
    ]


def _require_page(page: Path | None) -> None:
    """Refuses a bad name of the page before hours of evaluation, rather than after them."""
    if page is None:
        return
    nearest = next(place for place in (page.parent, *page.absolute().parents) if place.exists())
    if page.suffix.lower() not in (".html", ".htm") or page.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise RejectedInput(
            "page-name",
            "The page must be a file that ends with .html, in a folder that can be written.",
            remedy="Choose another name for --page.",
        )


def _plan(options: dict[str, Any]) -> EvaluationPlan:
    return EvaluationPlan(
        clicks=options["clicks"],
        seeds=options["seeds"],
        rule=ClickRule(options["user"] or ClickRule.DEEPGROW.value),
        per_slice=options["per_slice"],
        slices_per_case=options["slices_per_case"],
        with_depth=options["box_with_depth"],
        is_cleaned=not options["raw"],
    )
