"""`choose_series`: a person says which series are a patient's images."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from annotation_backend.cases.ingesting.chosen_series import choose_series, considered_series, require_known
from annotation_backend.cases.models import Patient
from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.studies.arguments import add_study_of_code, study_said
from datasets.errors import RejectedInput
from datasets.study.shipped_protocols import FIRST, shipped_protocol


class Command(MaskloopCommand):
    """Writes a choice down, which every later ingest takes; without one it lists what there is to choose from."""

    help = "Say which series are a patient's images; the next ingest takes them."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The patient and the series."""
        parser.add_argument("--patient", required=True, metavar="CODE", help="e.g. P0003")
        parser.add_argument(
            "--image",
            action="append",
            type=_image_and_series,
            default=[],
            metavar="IMAGE=SERIES",
            help="an image of the protocol and the short name of the series that it is; repeatable",
        )
        for image in shipped_protocol(FIRST).images:
            parser.add_argument(f"--{image.name}", metavar="SERIES", help=f"short for --image {image.name}=SERIES")
        parser.add_argument("--reason", default="", help="why, without names or dates")
        add_study_of_code(parser)
        parser.add_argument(
            "--dry-run", action="store_true", help="check the choice, list the series, and write nothing"
        )

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Lists, and writes down."""
        study = study_said(options)
        among = Patient.objects.all() if study is None else Patient.objects.filter(study=study)
        patient = among.select_related("study").filter(code=options["patient"]).first()
        if patient is None:
            raise RejectedInput(
                "patient-unknown", "No patient has this code.", remedy="The cohort's report lists them."
            )
        series = considered_series(patient)
        short = {role: options[role] for role in shipped_protocol(FIRST).roles if options[role]}
        chosen = {**short, **dict(options["image"])}
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
        return {"patient": patient.code, "chosen": chosen}, []


def _image_and_series(text: str) -> tuple[str, str]:
    image, separator, series = text.partition("=")
    if not (image and separator and series):
        raise ArgumentTypeError("expected an image of the protocol and a series, e.g. t1=S0003")
    return image, series


def _number(series: dict[str, Any]) -> str:
    """The scanner's number of the series, where it has one and the ingest kept it."""
    return f" (series number {series['number']})" if series.get("number") is not None else ""
