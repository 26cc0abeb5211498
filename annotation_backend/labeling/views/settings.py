"""The data manager's page of the project's settings."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.labeling.interface.editor import change_settings
from annotation_backend.labeling.interface.project_settings import project_settings
from annotation_backend.labeling.interface.settings_form import SettingsForm
from annotation_backend.labeling.models import LabelingProject, SettingsChange
from annotation_backend.labeling.project.project import current_project
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page
from datasets.errors import MaskloopError, TryAgain

_SHOWN_CHANGES = 20


@study_page(Role.DATA_MANAGER)
@require_http_methods(["GET", "POST"])
def settings_page(request: HttpRequest, study: Study) -> HttpResponse:
    """Shows the settings and their history; takes a change."""
    project = current_project(study)
    if project is None:
        return render(request, "labeling/settings.html", {"project": None})
    form = SettingsForm(project_settings(project), study, request.POST or None)
    status = 200
    if request.method == "POST":
        status = _changed(request, project, form)
        if status == 302:
            return redirect(page_of(study, "project-settings"))
    changes = SettingsChange.objects.filter(project=project).select_related("person")[:_SHOWN_CHANGES]
    return render(
        request, "labeling/settings.html", {"project": project, "form": form, "changes": changes}, status=status
    )


def _changed(request: HttpRequest, project: LabelingProject, form: SettingsForm) -> int:
    """Changes the settings as the form asks; returns the answer's status."""
    if not form.is_valid():
        return 400
    try:
        is_changed = change_settings(project, form.chosen(), person=signed_in_user(request))
    except MaskloopError as error:
        form.add_error(None, f"{error.message} {error.remedy}")
        return 503 if isinstance(error, TryAgain) else 409
    messages.success(request, "Settings changed." if is_changed else "Nothing to change.")
    return 302
