"""`withdraw_patient`: takes a patient out for good, and says which versions, snapshots and models hold them."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.cases.withdrawal import patient_called
from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.publishing.correcting.withdrawing import planned_withdrawal, withdraw_patient
from annotation_backend.studies.arguments import add_study_of_code, study_said


class Command(MaskloopCommand):
    """Nobody takes it back: no case of the patient is learned from, released or brought in again."""

    help = "Withdraw a patient from a study for good, with tombstones beside the releases that hold them."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The patient, and the reason."""
        parser.add_argument("patient", metavar="CODE", help="e.g. P0003")
        parser.add_argument("--reason", required=True, help="why, without names or dates; it goes into no file")
        add_study_of_code(parser)
        parser.add_argument("--dry-run", action="store_true", help="change nothing; only say what would be concerned")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Withdraws, and names what holds the patient."""
        patient = patient_called(options["patient"], study=study_said(options))
        if options["dry_run"]:
            found = planned_withdrawal(patient, reason=options["reason"])
        else:
            found = withdraw_patient(patient, reason=options["reason"])
        would = "would be" if options["dry_run"] else "are"
        self.say(f"{found.patient}: {', '.join(found.cases) or 'no case'} {would} left out for good.")
        for release in found.releases:
            self.say(f"{release} holds the patient: tell whoever has it, and build a further version.")
        for model in found.models:
            self.say(f"{model} learned from the patient: train again without, and promote that.")
        return {**found.as_dict(), "withdrawn": not options["dry_run"]}, []
