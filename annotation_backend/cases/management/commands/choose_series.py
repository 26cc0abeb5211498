"""`choose_series`: a person says which series are a patient's T1 and T2."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.cases.ingesting.chosen_series import choose_series, considered_series, require_known
from annotation_backend.cases.models import Patient
from annotation_backend.commandline.arguments import MaskloopCommand
from datasets.errors import RejectedInput
from datasets.study.case import SeriesRole


class Command(MaskloopCommand):
    """Writes a choice down, which every later ingest takes; without one it lists what there is to choose from."""

    help = "Say which series are a patient's T1 and T2; the next ingest takes them."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The patient and the series."""
        parser.add_argument("--patient", required=True, metavar="CODE", help="e.g. P0003")
        for role in SeriesRole:
            parser.add_argument(
                f"--{role}", metavar="SERIES", help=f"short name of the series that is the {role.upper()}"
            )
        parser.add_argument("--reason", default="", help="why, without names or dates")
        parser.add_argument(
            "--dry-run", action="store_true", help="check the choice, list the series, and write nothing"
        )

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Lists, and writes down."""
        patient = Patient.objects.filter(code=options["patient"]).first()
        if patient is None:
            raise RejectedInput(
                "patient-unknown", "No patient has this code.", remedy="The cohort's report lists them."
            )
        series = considered_series(patient)
        chosen = {role: options[role.value] for role in SeriesRole if options[role.value]}
        if chosen:
            require_known(patient, chosen)
        if options["dry_run"] or not chosen:
            for one in series:
                points = ", ".join(f"{points} as {role.upper()}" for role, points in one["scores"].items())
                what = f"{one['kind']}, {one['plane']}, {one['slice_count']} slices"
                self.say(f"{one['reference']}{_number(one)}: {what}; {points}")
            return {"considered": series}, []
        choose_series(patient, chosen, reason=options["reason"])
        self.say(f"Written down. The next ingest takes these series for {patient.code}.")
        return {"patient": patient.code, "chosen": {role.value: name for role, name in chosen.items()}}, []


def _number(series: dict[str, Any]) -> str:
    """The scanner's number of the series, where it has one and the ingest kept it."""
    return f" (series number {series['number']})" if series.get("number") is not None else ""
