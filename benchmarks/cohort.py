"""Takes a cohort of phantom patients through ingest, registration and export on two Dask workers; kills one each step.

    python -m benchmarks.cohort [--patients 200] [--faulty 6] [--size 160] [--preset fast] [--folder FOLDER]

The scheduler and the workers are processes of their own, as a person would start them. Started again with the same
folder it goes on where it stopped, and says so. Every case must be done once, and the report must name the planted
faults: patients without a T2, with two of them, and with a damaged one.
"""

import argparse
import logging
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from tests.annotation_backend.support.dask_processes import DaskProcesses

logger = logging.getLogger("benchmarks.cohort")

LIMIT_MB = 3000.0


@dataclass
class Step:
    """One row of the table.

    Args:
        name: Name of the step.
        seconds: Wall clock.
        done: Cases done in this run.
        killed: Workers killed on the way.
        peak_mb: Most memory that one worker held.
    """

    name: str
    seconds: float = 0.0
    done: int = 0
    killed: int = 0
    peak_mb: float = 0.0


@dataclass
class Bench:
    """Measurements of a run, and its failed checks."""

    patients: int
    faulty: int
    steps: list[Step] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def require(self, holds: bool, otherwise: str) -> None:
        """Notes a check that failed."""
        if not holds:
            self.wrong.append(otherwise)

    @contextmanager
    def step(self, name: str, dask: "DaskProcesses | None" = None) -> Iterator[Step]:
        """Measures a block and watches the workers' memory meanwhile."""
        step = Step(name)
        over = threading.Event()
        watch = threading.Thread(target=_watch, args=(dask, step, over), daemon=True)
        watch.start()
        started = time.perf_counter()
        logger.info("%s", name)
        yield step
        step.seconds = time.perf_counter() - started
        over.set()
        watch.join()
        logger.info("%s: %d done in %.0f s", name, step.done, step.seconds)
        self.steps.append(step)


def main() -> int:
    """Runs the cohort and prints the table; the exit status says whether everything held."""
    options = _options()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    options.folder.mkdir(parents=True, exist_ok=True)
    _set_up_django(options.folder / "data")
    bench = Bench(options.patients, options.faulty)
    studies = _phantoms(bench, options)
    _run(bench, studies, options.preset)
    _check(bench)
    _print(bench, options)
    return 1 if bench.wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--patients", type=int, default=200, help="sound patients")
    parser.add_argument("--faulty", type=int, default=6, help="patients with a fault, beside them")
    parser.add_argument("--size", type=int, default=160, help="T1's columns and rows")
    parser.add_argument("--preset", choices=("fast", "ants"), help="of the registration")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "maskloop-cohort")
    return parser.parse_args()


def _set_up_django(data: Path) -> None:
    from annotation_backend.environment import fresh_environment

    for name, value in fresh_environment().items():
        os.environ.setdefault(name, value)
    os.environ.update(MASKLOOP_DATA=str(data), DATABASE_URL=f"sqlite:///{data / 'maskloop.sqlite3'}")
    os.environ["DJANGO_SETTINGS_MODULE"] = "annotation_backend.settings"
    data.mkdir(exist_ok=True)
    import django
    from django.core.management import call_command

    django.setup()
    logging.getLogger("annotation_backend").setLevel(logging.WARNING)
    call_command("migrate", verbosity=0)


def _phantoms(bench: Bench, options: argparse.Namespace) -> Path:
    from datasets.phantom.cohort import write_phantom_cohort
    from tests.annotation_backend.support.cohorts import add_second_t2, break_pixels, remove_t2

    studies: Path = options.folder / "studies"
    whole = options.folder / "studies.whole"
    if whole.exists():
        logger.info("the phantoms are there")
        return studies
    with bench.step("phantoms written as DICOM, in one process") as step:
        write_phantom_cohort(studies, patients=options.patients + options.faulty, size=options.size)
        for number in range(options.faulty):
            fault = (remove_t2, add_second_t2, break_pixels)[number % 3]
            fault(studies, options.patients + number + 1)
        step.done = options.patients + options.faulty
    whole.touch()
    return studies


def _run(bench: Bench, studies: Path, preset: str | None) -> None:
    from django.conf import settings

    from annotation_backend.cases.ingesting.ingest import ingest
    from annotation_backend.cases.registration.export import export_cases
    from annotation_backend.cases.registration.register import register_cases, settings_of
    from annotation_backend.cases.registration.volumes import select_cases
    from annotation_backend.studies.services import ensure_study
    from datasets.study.shipped_protocols import FIRST
    from tests.annotation_backend.support.dask_processes import dask_processes

    with dask_processes(workers=2) as dask:
        settings.DASK_SCHEDULER = dask.address
        with bench.step("ingest", dask) as step:
            step.done = len(ingest(studies, study=ensure_study(FIRST), storing=_killing(dask, step)).new)
        with bench.step("registration", dask) as step:
            chosen = settings_of(preset, None)
            report = register_cases(select_cases(None), settings=chosen, progress=_killing(dask, step))
            step.done = len(report.done)
        with bench.step("export", dask) as step:
            exported = export_cases(select_cases(None), progress=_killing(dask, step))
            step.done = sum(count > 0 for count in exported.pictures.values())
    with bench.step("everything again, with nothing to do"):
        ingest(studies, study=ensure_study(FIRST), workers=1)
        register_cases(select_cases(None), workers=1)
        export_cases(select_cases(None), workers=1)


def _killing(dask: "DaskProcesses", step: Step) -> Callable[[int, int], None]:
    """A progress callback that kills one worker when a third of the step is done."""

    def progress(done: int, of: int) -> None:
        if of and done % 20 == 0:
            logger.info("  %s: %d of %d", step.name, done, of)
        if of > 2 and done == of // 3 and not step.killed:
            logger.info("  killed worker %d", dask.kill_a_worker())
            step.killed += 1

    return progress


def _watch(dask: "DaskProcesses | None", step: Step, over: threading.Event) -> None:
    while dask is not None and not over.wait(0.5):
        for nanny in dask.workers:
            try:
                for process in psutil.Process(nanny.pid).children(recursive=True):
                    step.peak_mb = max(step.peak_mb, process.memory_info().rss / 1e6)
            except psutil.NoSuchProcess:
                continue


def _check(bench: Bench) -> None:
    """Checks that every case exists once and is complete, and that the report agrees."""
    from annotation_backend.cases.models import Case, Patient, Registration, Slice
    from annotation_backend.cases.registration.volumes import case_volumes
    from annotation_backend.cases.report import write_report

    cases = list(Case.objects.with_images())
    doubtful = [case for case in cases if case.is_registered and case.registration_verdict in ("look", "reject")]
    bench.require(len(cases) == bench.patients, f"{len(cases)} cases instead of {bench.patients}")
    bench.require(len({case.patient_id for case in cases}) == len(cases), "a patient has two cases")
    bench.require(Patient.objects.count() == bench.patients + bench.faulty, "patients are missing")
    bench.require(Registration.objects.count() == len(cases), "cases are not registered")
    for case in cases:
        case_volumes(case)
    pictured = set(Slice.objects.values_list("case", flat=True))
    sound = {case.pk for case in cases} - {case.pk for case in doubtful}
    bench.require(pictured == sound, f"{len(pictured)} cases have pictures instead of {len(sound)}")
    bench.require(all(picture.path.exists() for picture in Slice.objects.select_related("case")), "pictures are gone")
    with bench.step("report with its pictures") as step:
        path, report = write_report(Path(os.environ["MASKLOOP_DATA"]) / "reports")
        step.done = len(report.cases)
    logger.info("the report is %.1f MB; %d registrations in doubt", path.stat().st_size / 1e6, len(doubtful))
    _check_report(bench, report.as_dict(), doubtful=len(doubtful))


def _check_report(bench: Bench, facts: dict[str, Any], *, doubtful: int) -> None:
    states = [row["state"] for row in facts["cases"].values()]
    bench.require(states.count("exported") == bench.patients - doubtful, "the report's states are not right")
    bench.require(len(facts["without_case"]) == bench.faulty, "the report misses patients without a case")
    undecided = sum(row["outcome"] == "undecided" for row in facts["without_case"].values())
    planted = len(range(1, bench.faulty, 3))
    bench.require(undecided == planted, f"{undecided} patients to choose for instead of {planted}")
    unexplained = [row for row in facts["without_case"].values() if not row["findings"]]
    bench.require(not unexplained, "a refused patient has no reason")


def _print(bench: Bench, options: argparse.Namespace) -> None:
    out = sys.stdout.write
    out(f"{bench.patients} phantom patients ({options.size} x {options.size} pixels) and {bench.faulty} with a fault; ")
    out(f"preset {options.preset or 'default'}; {os.cpu_count()} cores, {platform.machine()}, ")
    out(f"Python {platform.python_version()}\n\n")
    out("| step | seconds | cases done | seconds a case | workers killed | peak of a worker, MB |\n")
    out("| --- | --- | --- | --- | --- | --- |\n")
    for step in bench.steps:
        each = f"{step.seconds / step.done:.2f}" if step.done else ""
        peak = f"{step.peak_mb:.0f}" if step.peak_mb else ""
        out(f"| {step.name} | {step.seconds:.0f} | {step.done or ''} | {each} | {step.killed or ''} | {peak} |\n")
    worst = max((step.peak_mb for step in bench.steps), default=0.0)
    bench.require(worst <= LIMIT_MB, f"a worker held {worst:.0f} MB")
    verdict = "; ".join(bench.wrong) if bench.wrong else "all cases done, none twice, and the report is right"
    out(f"\n{verdict}\n")


if __name__ == "__main__":
    sys.exit(main())
