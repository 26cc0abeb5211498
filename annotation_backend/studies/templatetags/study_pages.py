"""Addresses of a study's pages, what its people are called there, and its slices in short."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.template import Context

from annotation_backend.accounts.models import User
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.people import names_in
from datasets.pictures.slice_runs import SliceRun, in_short, runs_of

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


@register.filter
def slice_runs(indices: Iterable[int]) -> list[SliceRun]:
    """Slices that follow each other, together: each run has a `first` and a `last`."""
    return runs_of(indices)


@register.filter
def in_runs(indices: Iterable[int]) -> str:
    """Slices in words: ``3–17, 22``."""
    return in_short(indices)
