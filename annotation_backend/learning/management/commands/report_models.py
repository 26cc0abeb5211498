"""`report_models`: the seeds' tables and figures of some models, as one page with CSVs beside it."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.commandline.cohort_arguments import add_cohort, add_device, use_device
from annotation_backend.learning.model_reports import ReportRequest, write_report
from annotation_backend.learning.trial import EvaluationCohort
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Reads evaluations, or tries models first; needs no database for models that are folders or shipped."""

    help = "Report models side by side: tables and figures as the papers have them, tests, worst cases with pictures."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The evaluations, the cases and the report's folder."""
        parser.add_argument(
            "evaluations",
            nargs="+",
            metavar="[NAME=]EVALUATION",
            help="file of evaluate_model --json, folder of folds of train_model, FOLDER+FOLDER for their mean, or a "
            "model's name; evaluations of one name are one model on different cases",
        )
        parser.add_argument("--out", type=a_path, required=True, metavar="FOLDER", help="folder of the report")
        parser.add_argument(
            "--case-table",
            type=a_path,
            metavar="FILE.csv",
            help="case, patient, tissue_type, anatomical_site and cohort (such as own, external) of each case",
        )
        parser.add_argument("--masks", type=a_path, metavar="FOLDER", help="masks that evaluate_model --masks wrote")
        parser.add_argument("--clicks", type=int, metavar="N", help="measure after so many clicks (default: the last)")
        parser.add_argument("--about", default="", metavar="TEXT", help="a remark on the data and their limits")
        add_cohort(parser, required=False)
        add_device(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Writes the report."""
        use_device(options)
        if options["out"].exists() and not options["out"].is_dir():
            raise RejectedInput(
                "report-folder", "There is a file where the report's folder should be.", remedy="Choose another --out."
            )
        request = ReportRequest(
            options["evaluations"],
            options["out"],
            options["case_table"],
            _cohort(options),
            options["masks"],
            options["clicks"],
            options["about"],
        )
        found = write_report(request, self.progress)
        self.say(f"{len(found.models)} model(s), {found.cases} case(s): {options['out'].name}/{found.files[0]}")
        document = {"models": list(found.models), "cases": found.cases, "files": list(found.files)}
        return document, list(found.findings)


def _cohort(options: dict[str, Any]) -> EvaluationCohort | None:
    if options["cohort"] is None:
        return None
    if not (options["image_glob"] and options["mask_glob"]):
        raise RejectedInput(
            "cohort-globs",
            "A cohort needs globs of its images and masks.",
            remedy="Give --image-glob and --mask-glob, too.",
        )
    return EvaluationCohort(
        options["cohort"],
        options["image_glob"],
        options["mask_glob"],
        resample=options["resample"],
        mask_value=options["mask_value"],
    )
