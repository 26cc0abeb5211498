"""`up`: the whole platform on one machine, from nothing to tasks with predictions."""

import os
import signal
import time
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

import requests
from django.conf import settings
from django.core.management import call_command

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import create_first_accounts, email_of
from annotation_backend.cases.models import Case
from annotation_backend.cases.services import export_case, ingest, register_case
from annotation_backend.environment import ENV_FILE, ROOT
from annotation_backend.labeling import client, server
from annotation_backend.labeling.jobs import assemble_case
from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.predictions import push_predictions
from annotation_backend.labeling.project import ensure_people, ensure_project
from annotation_backend.labeling.publish import publish
from annotation_backend.labeling.reconcile import pull
from annotation_backend.management.arguments import MaskloopCommand
from annotation_backend.processes import Processes, require_free
from annotation_backend.registry.models import Promotion
from annotation_backend.registry.services import ensure_lite_medsam, promote
from datasets.errors import RejectedInput

START_SECONDS = 300.0
"""Label Studio's first start migrates its database; 40 s were measured on two idle cores."""


class Command(MaskloopCommand):
    """Starts Label Studio, the web service and a worker, prepares a cohort, and watches until Ctrl-C."""

    help = "Start everything on this machine and prepare a cohort; stops all on Ctrl-C."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The user's own data, and a way to come back once everything is ready."""
        parser.add_argument(
            "--data", type=Path, help="folder of DICOM or NIfTI studies; a phantom cohort when left out"
        )
        parser.add_argument(
            "--exit-when-ready", action="store_true", help="stop everything once the cohort is published"
        )

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Starts, prepares, watches."""
        folder = self._data_folder(options["data"])
        require_free(settings.MASKLOOP_URL, what="MASKLOOP_URL")
        require_free(settings.LABEL_STUDIO_URL, what="LABEL_STUDIO_URL")
        settings.DATA_FOLDER.mkdir(parents=True, exist_ok=True)
        call_command("migrate", verbosity=0)
        create_first_accounts()
        processes = self._processes()
        signal.signal(signal.SIGTERM, _interrupt)
        findings: list[str] = []
        try:
            for name in ("label_studio", "web", "worker"):
                processes.start(name)
            findings = self._prepare(processes, folder)
            self._tell()
            while not options["exit_when_ready"]:
                processes.require_alive()
                time.sleep(1)
        except KeyboardInterrupt:
            self.say("\nStopping.")
        finally:
            processes.stop()
        return {"labelling": settings.LABEL_STUDIO_URL, "cases": Case.objects.count()}, findings

    def _data_folder(self, given: Path | None) -> Path | None:
        if given is not None and not given.is_dir():
            raise RejectedInput(
                "no-such-folder", "DATA is not a folder.", remedy="Give the folder that holds the studies."
            )
        return given.resolve() if given else None

    def _processes(self) -> Processes:
        address = settings.MASKLOOP_URL.rpartition("/")[2]
        environment = {"MASKLOOP_BIND": address, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}
        return Processes(ROOT / "Procfile", logs=settings.DATA_FOLDER / "logs", environment=environment)

    def _prepare(self, processes: Processes, folder: Path | None) -> list[str]:
        findings = self._bring_in(processes, folder)
        processes.wait_until(_web_is_up, what="The web service", seconds=60)
        processes.wait_until(client.is_up, what="Label Studio", seconds=START_SECONDS)
        server.use_write_ahead_log()
        project = ensure_project()
        ensure_people()
        self.say(f"Label Studio is up with project {project.label_studio_id}; its tasks follow.")
        findings += self._take_up(project)
        for case in Case.objects.filter(registration__isnull=False):
            processes.require_alive()
            made = publish(case)
            drawn = push_predictions(case, progress=self.progress(f"{case.code}: drawing slice"))
            self.say(f"{case.code}: {made} new tasks, {drawn} new predictions")
        return findings

    def _take_up(self, project: LabelingProject) -> list[str]:
        """What happened in Label Studio while we were down, and masks that a stopped worker did not assemble."""
        report = pull(project)
        for code in (
            Case.objects.filter(labeling_tasks__annotations__isnull=False).values_list("code", flat=True).distinct()
        ):
            assemble_case.enqueue(case_code=code)
        return report.refused

    def _bring_in(self, processes: Processes, folder: Path | None) -> list[str]:
        """Model, cohort, registration and pictures, while Label Studio starts."""
        if not Promotion.objects.exists():
            self.say("Preparing LiteMedSAM")
            promote(ensure_lite_medsam())
        report = ingest(folder or self._phantom(), progress=self.progress("reading file"))
        findings = [str(finding) for finding in report.findings]
        for case in Case.objects.all():
            processes.require_alive()
            try:
                if register_case(case):
                    self.say(f"{case.code}: T1 registered onto T2")
                export_case(case)
            except RejectedInput as error:
                findings.append(f"{case.code}: {error}")
        return findings

    def _phantom(self) -> Path:
        from datasets.phantom import write_phantom_cohort

        folder = Path(settings.DATA_FOLDER) / "phantom"
        if not folder.exists():
            self.say("Writing a phantom cohort as DICOM (give your own studies with DATA=<folder>)")
            write_phantom_cohort(folder)
        return folder

    def _tell(self) -> None:
        first = email_of(Role.ANNOTATOR)
        self.say(
            f"""
Maskloop is ready. Ctrl-C stops it.

  Labelling  {settings.LABEL_STUDIO_URL}/projects/
  Review     {settings.MASKLOOP_URL}/review/
  Releases   {settings.MASKLOOP_URL}/releases/

Accounts: {", ".join(email_of(role) for role in Role)}
Passwords: {ENV_FILE.name} in this folder (e.g. ANNOTATOR_PASSWORD for {first}), the same for both services.
"""
        )


def _web_is_up() -> bool:
    try:
        return bool(requests.get(f"{settings.MASKLOOP_URL}/alive", timeout=3).ok)
    except requests.RequestException:
        return False


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends `up` as Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)
