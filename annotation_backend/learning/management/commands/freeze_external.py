"""`freeze_external`: writes the document of an external cohort, which trainings must not read."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.commandline.cohort_arguments import add_cohort
from annotation_backend.learning.examples.of_folder import examples_of_folder
from annotation_backend.learning.splitting.arguments import add_case_table
from annotation_backend.learning.splitting.folds import pixels_of
from annotation_backend.learning.training_arguments import names
from datasets.errors import RejectedInput
from datasets.files import write_bytes
from datasets.study.splits.external import ExternalCohort


class Command(MaskloopCommand):
    """Lists a folder's cases, their patients and the digests of their images; the document never changes."""

    help = "Freeze a folder's cases as an external cohort, which train_model --external must not learn from."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The cohort, the document's name and where it goes."""
        parser.add_argument("name", help="of the external cohort: small letters, digits and hyphens")
        add_cohort(parser, required=True)
        add_case_table(parser)
        parser.add_argument("--without", type=names, default=(), metavar="CASE,CASE", help="neither tried nor learned")
        parser.add_argument("--note", default="", help="where the cohort comes from")
        parser.add_argument("--out", type=a_path, required=True, metavar="FILE.json", help="the document")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Reads all images once and writes the document."""
        if options["out"].exists():
            raise RejectedInput(
                "external-exists",
                "There is a file of this name, and a frozen cohort never changes.",
                remedy="Choose another name for --out.",
            )
        examples, _ = examples_of_folder(
            options["cohort"],
            options["image_glob"],
            options["mask_glob"],
            without=options["without"],
            mask_value=options["mask_value"],
            table=options["case_table"],
        )
        pixels = pixels_of(examples, sorted(examples.cases), self.progress("reading images: case"))
        frozen = ExternalCohort(
            options["name"],
            cases=tuple(sorted(examples.cases)),
            patients=tuple(sorted({case.patient for case in examples.cases.values()})),
            left_out=tuple(sorted(options["without"])),
            pixels=tuple(sorted({digest for own in pixels.values() for digest in own})),
            note=options["note"],
        )
        write_bytes(options["out"], frozen.encoded)
        self.say(
            f"{frozen.name}: {len(frozen.cases)} case(s) of {len(frozen.patients)} patient(s), {frozen.digest[:12]}"
        )
        listed = {"cases": list(frozen.cases), "patients": list(frozen.patients), "left_out": list(frozen.left_out)}
        return {"name": frozen.name, "digest": frozen.digest} | listed, list(examples.findings)
