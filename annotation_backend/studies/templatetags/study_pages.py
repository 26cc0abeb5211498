"""Addresses of a study's pages, and what its people are called there."""

from typing import Any

from django import template
from django.template import Context

from annotation_backend.accounts.models import User
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.people import names_in

register = template.Library()


@register.simple_tag(takes_context=True)
def page(context: Context, name: str, *values: Any) -> str:
    """The address of a page of the study that the template is about; ``url`` knows no study and fails there."""
    return page_of(context["study"], name, *values)


@register.simple_tag(takes_context=True)
def person(context: Context, who: User | None, otherwise: str = "unknown") -> str:
    """What a person is called on the page: their role in the study and their number."""
    if who is None:
        return otherwise
    known = context.render_context
    study = context["study"]
    key = f"names of the people in {study}"
    if key not in known:
        known[key] = names_in(study)
    return str(known[key].get(who.pk, who))
