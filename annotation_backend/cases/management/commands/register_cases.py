"""`register_cases`: brings each case's images onto the one that is drawn on."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.cases.registration.register import MOTIONS, PRESETS, register_cases, settings_of, would_register
from annotation_backend.cases.registration.volumes import select_cases
from annotation_backend.commandline.arguments import MaskloopCommand, add_workers
from annotation_backend.studies.arguments import add_study, study_among


class Command(MaskloopCommand):
    """Registers the cases that are not registered yet; one that fails does not stop the rest."""

    help = "Bring each case's images onto the one that is drawn on."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The cases, and settings of the registration."""
        parser.add_argument("--case", nargs="+", metavar="CODE", help="only these cases")
        add_study(parser)
        parser.add_argument(
            "--redo",
            nargs="?",
            const="",
            metavar="ROLE",
            help="also those that are registered already, unless anybody ever drew on them; with a role, such as t1, "
            "only that image of each",
        )
        parser.add_argument("--preset", choices=PRESETS, help="which search: fast (SimpleITK; the default) or ants")
        parser.add_argument("--motion", choices=MOTIONS, help="the freest motion an image may take (default: affine)")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be registered")
        add_workers(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Registers case by case."""
        cases = select_cases(options["case"], study=study_among(options))
        if options["dry_run"]:
            todo, doubts = would_register(cases, again=options["redo"] is not None)
            codes = [case.code for case in todo]
            self.say(f"Would be registered: {', '.join(codes) or 'none'}")
            return {"to_register": codes}, list(map(str, doubts))
        report = register_cases(
            cases,
            settings=settings_of(options["preset"], options["motion"]),
            again=options["redo"] is not None,
            role=options["redo"] or None,
            workers=options["workers"],
            progress=self.progress("registering case"),
        )
        self.say(f"{len(report.done)} of {len(cases)} case(s) registered now")
        findings = [str(finding) for finding in report.findings]
        return {"registered": sorted(case.code for case in report.done)}, findings
