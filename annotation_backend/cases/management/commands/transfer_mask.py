"""`transfer_mask`: a case's mask on any other series of the patient."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from annotation_backend.cases.registration.transfer import transfer_to_series
from annotation_backend.cases.registration.volumes import select_cases
from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.studies.arguments import add_study_of_code, study_said


class Command(MaskloopCommand):
    """Registers the series with the case and writes the mask on the series' own grid."""

    help = "Bring a case's mask to another series of the patient."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The case, the series, and where to write."""
        parser.add_argument("case", metavar="CASE", help="code of a registered case")
        parser.add_argument(
            "series", type=a_path, help="NIfTI, NRRD or MetaImage file, or a folder with one DICOM series"
        )
        parser.add_argument("output", type=a_path, help="file to write, .nii.gz")
        parser.add_argument(
            "--mask",
            type=a_path,
            help="mask on the case's grid or on an image's own (default: the imported tumour)",
        )
        parser.add_argument("--role", metavar="ROLE", help="the image on whose own grid the mask lies, such as t1")
        add_study_of_code(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Transfers and says whether it may be trusted."""
        case = select_cases([options["case"]], study=study_said(options))[0]
        series, output, mask = (options[name] for name in ("series", "output", "mask"))
        report = transfer_to_series(case, series, output, mask=mask, role=options["role"])
        self.say(f"{report.voxels} voxels, {report.millilitres:.1f} ml; registration of the series: {report.verdict}")
        return asdict(report), [*report.doubts, *map(str, report.findings)]
