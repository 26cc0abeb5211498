"""`export_training_slices`: approved cases at 1 mm, in three planes, as 2.5D triplets with their mask."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.learning.training_slices import approved_cases, export_approved
from annotation_backend.studies.arguments import add_study, study_among


class Command(MaskloopCommand):
    """Writes PNGs and a manifest for each approved case; defaults are MSTT-199's."""

    help = "Export approved cases as 2.5D training slices (1 mm, axial, coronal and sagittal)."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the cases, the choice of slices and the grey window."""
        parser.add_argument("--case", nargs="+", metavar="CODE", help="only these cases (default: all approved)")
        parser.add_argument("--above-pixels", type=int, default=0, help="slices with more tumour pixels (default 0)")
        parser.add_argument("--negatives", type=float, default=0.0, help="empty slices for each with a tumour")
        parser.add_argument(
            "--percentiles", type=float, nargs=2, default=(0.5, 99.5), metavar=("LOW", "HIGH"), help="grey window"
        )
        add_study(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say which cases would be exported")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Exports case by case."""
        from datasets.study.training_slices import TrainingSliceSettings

        study = study_among(options)
        low, high = options["percentiles"]
        settings = TrainingSliceSettings(
            low_percentile=low,
            high_percentile=high,
            above_tumour_pixels=options["above_pixels"],
            negatives_per_positive=options["negatives"],
        )
        if options["dry_run"]:
            codes = list(approved_cases(options["case"], study=study))
            self.say(f"Would be exported: {', '.join(codes)}")
            return {"to_export": codes}, []
        manifests = export_approved(options["case"], settings, study=study, progress=self.progress("exporting case"))
        counts = {code: len(manifest["slices"]) for code, manifest in manifests.items()}
        self.say(f"{sum(counts.values())} training slices of {len(counts)} case(s)")
        return {"slices": counts}, []
