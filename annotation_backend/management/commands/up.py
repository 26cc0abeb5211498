"""`up`: the whole platform on one machine, from nothing to tasks with predictions."""

import signal
import time
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from textwrap import indent
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.core.management import call_command

from annotation_backend import machine
from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import create_first_accounts, email_of
from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.ingesting.studies_folder import studies_folder
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.export import export_cases
from annotation_backend.cases.registration.register import register_cases
from annotation_backend.cases.registration.volumes import select_cases
from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.doctor import alone, put_away_rehearsals
from annotation_backend.environment import ENV_FILE, ROOT
from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.predictions.jobs import queue_undrawn
from annotation_backend.labeling.predictions.predictions import push_predictions
from annotation_backend.labeling.project.people import ensure_people
from annotation_backend.labeling.project.project import ensure_project
from annotation_backend.labeling.project.publish import publish
from annotation_backend.labeling.studio import client
from annotation_backend.labeling.studio.credentials import service_url
from annotation_backend.labeling.studio_server import server
from annotation_backend.labeling.upkeep import take_up
from annotation_backend.publishing.contents.versions import releases_folder
from annotation_backend.registry.model_registry import models_folder
from annotation_backend.registry.models import Promotion
from annotation_backend.registry.shipped import ensure_shipped_models
from annotation_backend.starting import addresses, meant_study, notes_on_models, phantom_folder
from annotation_backend.studies.models import Study
from annotation_backend.supervision.supervisor import Processes, require_free
from datasets.errors import MaskloopError, TryAgain
from datasets.part_folder import remove_remains
from datasets.study.shipped_protocols import FIRST, shipped_names

DRAWN_AT_ONCE = 8
"""Cases whose predictions `up` waits for; a minute each on two cores. The worker draws those of the others."""

START_SECONDS = 300.0
"""Label Studio's first start migrates its database; 40 s were measured on two idle cores."""


class Command(MaskloopCommand):
    """Starts Label Studio, the web service and its workers, prepares a cohort, and watches until Ctrl-C."""

    help = "Start everything on this machine and prepare a cohort; stops all on Ctrl-C."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The user's own data, and a way to come back once everything is ready."""
        parser.add_argument(
            "--data", type=a_path, help="folder of DICOM or NIfTI studies; a phantom cohort when left out"
        )
        parser.add_argument(
            "--study",
            metavar="NAME",
            help=f"the study that the data is for, made with the protocol of that name where there is none "
            f"({', '.join(shipped_names())}); default: the only one, or {FIRST}",
        )
        parser.add_argument(
            "--protocol",
            metavar="NAME|FILE",
            help="make that study with this protocol: one that comes along, or a document of yours",
        )
        parser.add_argument(
            "--exit-when-ready", action="store_true", help="stop everything once the cohort is published"
        )

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Starts all processes, prepares the cases, and keeps the processes running."""
        folder = studies_folder(options["data"]) if options["data"] else None
        processes = self._processes()
        processes.end_former()
        require_free(settings.MASKLOOP_URL, what="MASKLOOP_URL")
        require_free(service_url(), what="ML_BACKEND_URL")
        require_free(f"http://127.0.0.1:{server.own_port()}", what="LABEL_STUDIO_URL")
        server.database_environment(settings.LABEL_STUDIO_DATABASE_URL)
        settings.DATA_FOLDER.mkdir(parents=True, exist_ok=True)
        settings.DATA_FOLDER.chmod(0o700)
        call_command("migrate", verbosity=0)
        create_first_accounts()
        study = meant_study(options["study"], options["protocol"], has_data=folder is not None)
        for home in (*map(releases_folder, Study.objects.all()), models_folder()):
            remove_remains(home)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        findings: list[str] = []
        try:
            for name in ("label_studio", "web", "worker", "trainer"):
                processes.start(name, answers=_ANSWERS.get(name))
            processes.keep()
            findings = self._prepare(processes, study, folder)
            self._tell(findings)
            processes.start("reconciler")
            while not options["exit_when_ready"]:
                time.sleep(1)
        except KeyboardInterrupt:
            self.say("\nStopping.")
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            processes.stop()
        studies = [one.name for one in Study.objects.all()]
        return {"labelling": settings.LABEL_STUDIO_URL, "cases": Case.objects.count(), "studies": studies}, findings

    def _processes(self) -> Processes:
        binds = dict.fromkeys(urlsplit(url).netloc for url in (settings.MASKLOOP_URL, service_url()))
        environment = {
            "GUNICORN_CMD_ARGS": " ".join(f"--bind={address}" for address in binds),
            "MASKLOOP_WEB_PROCESSES": str(machine.web_processes()),
            "OMP_NUM_THREADS": str(machine.inference_threads()),
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONUNBUFFERED": "1",
        }
        logs = settings.DATA_FOLDER / "logs"
        return Processes(ROOT / "Procfile", logs=logs, environment=environment, tell=self.say)

    def _prepare(self, processes: Processes, study: Study | None, folder: Path | None) -> list[str]:
        findings = self._bring_in(processes, study, folder)
        processes.wait_until(_web_is_up, what="The web service", seconds=60, needed=["web"])
        for project in self._connect(processes):
            self.say(f"{project.study}: Label Studio is up with project {project.label_studio_id}; its tasks follow.")
            findings += self._take_up(project)
        with suppress(TryAgain), alone():  # where a doctor is at work, it puts its own away
            put_away_rehearsals()
        for number, case in enumerate(case for case in select_cases(None) if case.slices.exists()):
            findings += self._publish(case, draws_now=number < DRAWN_AT_ONCE)
        return findings

    def _connect(self, processes: Processes) -> list[LabelingProject]:
        """The studies' projects, their people and connections; tried anew where Label Studio falls silent meanwhile."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            processes.wait_until(client.is_up, what="Label Studio", seconds=START_SECONDS, needed=["label_studio"])
            try:
                projects = [ensure_project(study) for study in Study.objects.all()]
                for finding in ensure_people():
                    self.say(str(finding))
            except TryAgain as error:
                if time.monotonic() > deadline:
                    raise
                self.say(f"{error} It is tried again.")
                time.sleep(1)
            else:
                return projects

    def _publish(self, case: Case, *, draws_now: bool) -> list[str]:
        """One case's tasks and predictions; its failure does not stop the others."""
        findings: list[str] = []
        try:
            made = publish(case, findings=findings)
            if draws_now:
                drawn = push_predictions(case, progress=self.progress(f"{case.code}: drawing slice"))
                words = f"{drawn} new predictions with a mask"
            else:
                words = f"{queue_undrawn(case)} slices to be drawn in the background"
        except MaskloopError as error:
            return self._tell_findings([*findings, f"{case.code}: {error}"])
        self.say(f"{case.code}: {made} new tasks, {words}")
        return self._tell_findings(findings)

    def _tell_findings(self, findings: list[str]) -> list[str]:
        for finding in findings:
            self.say(finding)
        return findings

    def _take_up(self, project: LabelingProject) -> list[str]:
        """Takes over saves of the time while we were down, and jobs that a stopped worker left undone."""
        try:
            return self._tell_findings(take_up(project).refused)
        except MaskloopError as error:
            return self._tell_findings([str(error)])

    def _bring_in(self, processes: Processes, study: Study | None, folder: Path | None) -> list[str]:
        """Model, cohort, registration and pictures, while Label Studio starts."""
        if not Promotion.objects.exists():
            self.say("Preparing the models that come with Maskloop")
        findings = self._tell_findings(ensure_shipped_models())
        for line in notes_on_models():
            self.say(line)
        findings += self._ingest(study, folder)
        processes.require_hope(_NEEDED)
        registered = register_cases(select_cases(None), progress=self.progress("registering case"))
        self.say(f"{len(registered.done)} case(s) registered")
        processes.require_hope(_NEEDED)
        cases = [case for case in select_cases(None) if case.is_registered]
        exported = export_cases(cases, progress=self.progress("exporting case"))
        told = dict.fromkeys(map(str, [*registered.findings, *exported.findings]))
        return findings + self._tell_findings(list(told))

    def _ingest(self, study: Study | None, folder: Path | None) -> list[str]:
        """The given folder; without one, the cases that are there, or a phantom cohort where there are none."""
        if study is None or (folder is None and Case.objects.filter(study=study, is_rehearsal=False).exists()):
            return []
        if folder is None:
            self.say(f"{study}: writing a phantom cohort as DICOM (give your own studies with DATA=<folder>)")
        try:
            report = ingest(
                folder or phantom_folder(study),
                study=study,
                progress=self.progress("reading file"),
                storing=self.progress("storing case"),
            )
        except TryAgain as busy:  # somebody else brings studies in, and ours are found at the next start
            return self._tell_findings([str(busy)])
        self.say(f"{len(report.new)} new case(s), {len(report.known)} known, {len(report.findings)} finding(s)")
        return self._tell_findings([str(finding) for finding in report.findings])

    def _tell(self, findings: list[str]) -> None:
        first = email_of(Role.ANNOTATOR)
        self.say(
            f"""
Maskloop is ready{f", with {len(findings)} finding(s) above" if findings else ""}. Ctrl-C stops it.

{indent(chr(10).join(addresses()), "  ")}

Accounts: {", ".join(email_of(role) for role in Role)}
Passwords: {ENV_FILE.name} in this folder (e.g. ANNOTATOR_PASSWORD for {first}). People sign in
at {settings.MASKLOOP_URL}/, which opens Label Studio for them; its own sign-in is closed.
"""
        )


def _web_is_up() -> bool:
    try:
        return bool(requests.get(f"{settings.MASKLOOP_URL}/alive", timeout=3).ok)
    except requests.RequestException:
        return False


_ANSWERS = {"web": _web_is_up, "label_studio": client.is_up}
"""Whether a process that was started again answers."""

_NEEDED = ("web", "label_studio")
"""Processes without which `up` ends; without the others it stays up and says which is missing."""


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """A signal ends `up` as Ctrl-C does, also where a shell started it in the background with SIGINT ignored."""
    raise KeyboardInterrupt
