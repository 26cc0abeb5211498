"""A case's story, for its page."""

from typing import Any

from django import template
from django.template import Context

from annotation_backend.accounts.models import Role
from annotation_backend.audit.story import story_of
from annotation_backend.cases.models import Case
from annotation_backend.stages.hiding import control_held_by
from annotation_backend.stages.models import CaseStage
from annotation_backend.studies.pages import may
from annotation_backend.studies.people import names_in

register = template.Library()


@register.inclusion_tag("audit/story.html", takes_context=True)
def story(context: Context, case: Case) -> dict[str, Any]:
    """What happened to the case, for the person who asks; people are called by role and number."""
    request = context["request"]
    manages = may(request, Role.DATA_MANAGER)
    steps = story_of(case, is_reader=manages or may(request, Role.RADIOLOGIST), is_manager=manages)
    if not manages and (control := control_held_by(request.user, case)) is not None:
        # how far the case is would say that its mask is known; nothing at all would tell it from other work
        came = CaseStage.objects.filter(case=case, stage=control.stage).order_by("round").first()
        steps = [step for step in steps if came is not None and step.at <= came.opened_at]
    names = names_in(case.study)
    told = [(step, names.get(step.person, f"Person {step.person}") if step.person else "") for step in steps]
    return {"steps": told}
