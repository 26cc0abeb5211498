"""`assign_work`: gives stages of cases to a person, spreads them, or takes them back."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.accounts.services import active_person
from annotation_backend.cases.models import Case
from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.stages.models import CaseStage, StageState
from annotation_backend.studies.arguments import add_study, study_of
from annotation_backend.studies.models import Study
from annotation_backend.work.bulk import MOST_TOGETHER, BulkReport, give_to, spread_over, take_back
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy


class Command(MaskloopCommand):
    """What the page of all work does, from the command line."""

    help = "Give a stage of cases to a person, spread it over those who may do it, or give it back."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Which stages, and what becomes of them."""
        parser.add_argument("stage", help="name of a stage in the study's protocol")
        parser.add_argument("--case", nargs="+", default=[], metavar="CODE", help="default: all that are open in it")
        either = parser.add_mutually_exclusive_group(required=True)
        either.add_argument("--person", metavar="EMAIL", help="who does it")
        either.add_argument("--spread", choices=("random", "load"), help="balanced by lot, or by what is left to do")
        either.add_argument("--give-back", action="store_true", help="take it from whoever has it")
        parser.add_argument("--take", action="store_true", help="with --person: also what somebody else has")
        add_study(parser)
        parser.add_argument("--dry-run", action="store_true", help="change nothing; only say which cases it is about")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Gives, spreads or takes back."""
        study = study_of(options)
        rows = self._rows(study, options)
        codes = [row.case.code for row in rows]
        if options["dry_run"]:
            self.say(f"{len(rows)} case(s) are open in {options['stage']}")
            return {"cases": codes, "changed": 0}, []
        report = self._report(rows, options)
        self.say(f"{report.count} piece(s) of work changed hands")
        return {"cases": codes, "changed": report.count}, report.refusals

    def _rows(self, study: Study, options: dict[str, Any]) -> list[CaseStage]:
        names = [stage.name for stage in study.protocol.steps]
        if options["stage"] not in names:
            raise RejectedInput(
                "stage-unknown", "The protocol has no stage of this name.", remedy=f"Name one of {', '.join(names)}."
            )
        cases = Case.objects.in_use().filter(study=study)
        if options["case"]:
            cases = cases.filter(code__in=options["case"])
            if unknown := sorted(set(options["case"]) - set(cases.values_list("code", flat=True))):
                raise RejectedInput(
                    "case-unknown",
                    f"{len(unknown)} of these cases are none in use.",
                    remedy="Give codes such as C0003.",
                )
        rows = CaseStage.objects.filter(case__in=cases, stage=options["stage"], state=StageState.OPEN)
        return list(rows.select_related("case__study").order_by("case__code"))

    def _report(self, rows: list[CaseStage], options: dict[str, Any]) -> BulkReport:
        report = BulkReport()
        person = None
        if options["person"]:
            person = active_person(options["person"])
            if person is None:
                raise RejectedInput(
                    "account-unknown", "Nobody here has this address.", remedy="Give it as `add_person` did."
                )
        for start in range(0, len(rows), MOST_TOGETHER):
            some = rows[start : start + MOST_TOGETHER]
            if person is not None:
                one = give_to(some, person, by=None, takes=options["take"])
            elif options["spread"]:
                one = spread_over(some, how=AssignedBy(options["spread"]), by=None)
            else:
                one = take_back(some)
            report.count += one.count
            report.refusals += one.refusals
        return report
