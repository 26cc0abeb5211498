"""`build_release`: a frozen NIfTI dataset of the approved cases."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.publishing.services import completed, publish_release, release_cases
from annotation_backend.studies.arguments import add_study, study_of


class Command(MaskloopCommand):
    """Builds a release; the same approved cases give the same bytes."""

    help = "Build a release of the approved cases and verify it."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The release's name, version, licence and description."""
        parser.add_argument("name", help="e.g. thigh-tumours")
        parser.add_argument("version", help="e.g. 1.0.0; a published version never changes")
        parser.add_argument("--licence", required=True, help="SPDX name of the data's licence, e.g. CC-BY-4.0")
        parser.add_argument("--description", default="", help="one paragraph for the dataset card")
        parser.add_argument("--seed", type=int, default=0, help="seed of the suggested folds")
        add_study(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say what would go in")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Builds a release, verifies it and records it."""
        from datasets.release.build import ReleaseSettings, check_release

        study = study_of(options)
        settings = ReleaseSettings(
            name=options["name"],
            version=options["version"],
            licence=options["licence"],
            description=options["description"],
            seed=options["seed"],
        )
        if options["dry_run"]:
            cases = release_cases(study)
            check_release(cases, completed(study, settings))
            codes = [case.code for case in cases]
            self.say(f"{len(codes)} approved case(s) would go in: {', '.join(codes)}")
            return {"cases": codes}, []
        built = publish_release(study, settings, progress_of=lambda: self.progress("writing case"))
        self.say(f"{built.release}: {built.release.cases.count()} case(s), digest {built.release.digest}")
        self.say(f"It lies in {built.release.path}")
        findings = [str(finding) for finding in (*built.findings, *built.report.findings)]
        return {
            "release": str(built.release),
            "digest": built.release.digest,
            "folder": str(built.release.path),
        }, findings
