"""Long lists in portions: the rows of the page that was asked for, however many there are."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

PORTION = 50
"""Rows of a list on one page."""


def portion_of(request: HttpRequest, rows: QuerySet[Any] | Sequence[Any], *, size: int = PORTION) -> Page[Any]:
    """The rows of the page in the address (``?page=``): the last one where there are no more, the first for no number.

    Args:
        request: The request.
        rows: All rows in their order.
        size: Rows on one page.
    """
    return Paginator(rows, size).get_page(request.GET.get("page"))
