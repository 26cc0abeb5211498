"""The page of a run, as it trains and afterwards, and its pictures."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.exclusion import require_shown
from annotation_backend.cases.models import Case
from annotation_backend.learning.models import Run, RunStatus
from annotation_backend.learning.pages.loss_plot import LossPlot, loss_plot
from annotation_backend.learning.runs.held_out import few_pictures, picture_file
from annotation_backend.learning.runs.recording import is_running
from annotation_backend.learning.runs.withdrawn import withdrawn_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page
from datasets.progress import time_left


@dataclass(frozen=True)
class ShownRun:
    """A run as pages show it.

    Args:
        run: Its record.
        status: How it stands: one whose process is gone has stopped, whatever its record says.
        is_going: Whether it trains now.
        part: What it does, such as ``fold 2 of 5``, with the iterations; empty where it has not begun.
        left: Time left, in words; empty where that is not known.
    """

    run: Run
    status: RunStatus
    is_going: bool
    part: str
    left: str


def shown_run(run: Run) -> ShownRun:
    """A run as pages show it; asks the system whether its process lives, and no database."""
    is_going = is_running(run)
    lost = run.status == RunStatus.RUNNING and not is_going
    told = run.progress
    part = f"{told['part']}: {told['done']} of {told['total']}" if told.get("part") else ""
    left = time_left(told.get("seconds_left")) if is_going else ""
    return ShownRun(run, RunStatus.STOPPED if lost else RunStatus(run.status), is_going, part, left)


@study_page(Role.DATA_MANAGER, Role.RADIOLOGIST)
@require_GET
def run_page(request: HttpRequest, study: Study, pk: int) -> HttpResponse:
    """One run: how it goes, its losses, what it was made with, and its figures on held-out cases."""
    run = get_object_or_404(Run.objects.select_related("snapshot", "model"), study=study, pk=pk)
    plot: LossPlot | None = loss_plot(run.progress.get("curves", []))
    context: dict[str, Any] = {
        "shown": shown_run(run),
        "run": run,
        "plot": plot,
        "figures": run.figures,
        "pictures": few_pictures(run.figures),
        "withdrawn": sorted(withdrawn_of(run.snapshot.cases)),
        "asked": run.asks.order_by("pk").last(),
        "made_with": [(_named(name), value) for name, value in (*run.code.items(), *run.environment.items())],
        "settings": [(_named(name), in_words(value)) for name, value in run.settings.items()],
    }
    return render(request, "learning/run.html", context)


@study_page(Role.DATA_MANAGER, Role.RADIOLOGIST)
@require_GET
def run_picture(request: HttpRequest, study: Study, pk: int, code: str) -> HttpResponse:
    """A held-out slice with both outlines, as PNG."""
    run = get_object_or_404(Run, study=study, pk=pk)
    if code not in {str(row["case"]) for row in run.figures}:
        raise Http404
    require_shown(get_object_or_404(Case, study=study, code=code), signed_in_user(request))
    try:
        content = picture_file(run, code).read_bytes()
    except OSError as error:
        raise Http404 from error
    return HttpResponse(content, content_type="image/png", headers={"Cache-Control": "private, no-cache"})


def in_words(value: Any) -> str:
    """A setting as people read it: tables and lists with commas, yes or no, a dash for none."""
    if isinstance(value, dict):
        return ", ".join(f"{_named(name)} {in_words(each)}" for name, each in value.items() if each is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value)) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value in (None, "") else str(value)


def _named(name: str) -> str:
    return name.replace("_gib", " (GiB)").replace("_", " ")
