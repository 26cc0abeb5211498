# mypy: ignore-errors
"""Label Studio's lists of tasks and projects, narrowed where they are asked for, so that pages and counts are right.

Its hooks for filters are asked only where a tab has a filter. The one place through which all its lists, counts and its
choice of a next task go is the manager of prepared tasks; that is what is narrowed here. One of the hooks is used: a
state is compared with the one that the person is shown.
"""

from django.db import connection
from django.db.models import Case, F, Q, TextField, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.fields.json import KeyTextTransform
from django.db.models.lookups import Exact, IContains

from annotation_backend.labeling.studio_door.columns import ALIKE, STATE, WITHIN, are_ones_own
from annotation_backend.labeling.studio_door.narrowing import THROUGH, TO_DO


def narrow_lists():
    """Has the manager of prepared tasks, and the list of projects, ask the door first."""
    from data_manager.managers import PreparedTaskManager
    from projects.api import ProjectCountsListAPI, ProjectListAPI

    _narrow(PreparedTaskManager, "only_filtered", _of_tasks)
    for view in (ProjectListAPI, ProjectCountsListAPI):
        _narrow(view, "get_queryset", _of_projects)


def _narrow(owner, name, narrowed):
    whole = getattr(owner, name)

    def method(self, *args, **options):
        return narrowed(self, lambda: whole(self, *args, **options), *args, **options)

    setattr(owner, name, method)


def _of_tasks(_manager, rows, prepare_params=None):
    asked = _asked(prepare_params.request)
    if asked is None:
        return rows()
    if asked.answer.tasks is not None and not _is_plain(prepare_params, asked.person):
        from tasks.models import Task

        asked.tells_of_others = True
        return Task.objects.none()  # before Label Studio filters: some filters are errors of its own
    rows = rows().filter(project__in=asked.answer.projects)
    return rows if asked.answer.tasks is None else rows.filter(_among(asked.answer.tasks))


def _is_plain(params, person):
    items = params.filters.items if params.filters else []
    return are_ones_own([item.model_dump() for item in items], params.ordering, person)


def as_shown(filter_, _field, _project, request=None, **_options):
    """The condition of a filter for a state, as the person is shown it; None for any other, which is Label Studio's."""
    asked = _asked(request)
    if asked is None or asked.answer.tasks is None or filter_.filter != f"filter:tasks:{STATE}":
        return None
    there = KeyTextTransform("state", "data")
    hidden = When(_among(asked.answer.alone), data__state__in=THROUGH, then=Value(TO_DO))
    shown = Case(hidden, default=there, output_field=TextField())
    is_so, lookup = (ALIKE, Exact) if filter_.operator in ALIKE else (WITHIN, IContains)
    found = Q(lookup(shown, str(filter_.value)))
    return found if is_so.get(filter_.operator) else ~found


def _of_projects(view, rows):
    asked = _asked(view.request)
    return rows() if asked is None else rows().filter(pk__in=asked.answer.projects)


def _asked(request):
    """The person's request behind a list; None for ours and the administrator's."""
    if request is None:
        from core.current_request import get_current_request

        request = get_current_request()
    return getattr(request, "maskloop_asked", None)


def _among(numbers):
    """A condition that takes any count of numbers: one value, where a list of values has a limit."""
    from django.db.models.lookups import In

    if connection.vendor == "postgresql":
        chosen = RawSQL("SELECT unnest(%s::int[])", [sorted(numbers)])
    else:
        chosen = RawSQL("SELECT value FROM json_each(%s)", [str(sorted(numbers))])
    return In(F("id"), chosen)
