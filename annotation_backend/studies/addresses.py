"""Addresses of a study's pages, all below ``/studies/<name>/``."""

from typing import Any

from django.urls import reverse

from annotation_backend.studies.models import Study


def page_of(study: Study, name: str, *values: Any) -> str:
    """The address of a page of a study.

    Args:
        study: The study.
        name: The page's name.
        values: What the address names beside the study, in its order, such as a case's code.
    """
    return reverse(name, args=[study.name, *values])
