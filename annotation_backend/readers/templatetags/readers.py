"""Figures with their intervals, for pages."""

from collections.abc import Mapping

from django import template

register = template.Library()


@register.simple_tag
def interval(found: Mapping[str, float | None], digits: int) -> str:
    """A figure with its interval, such as ``0.912 (0.880 to 0.931)``; words where there is none.

    Args:
        found: Its ``value``, ``lower`` and ``upper``.
        digits: Behind the point.
    """
    value, lower, upper = (found.get(name) for name in ("value", "lower", "upper"))
    if value is None:
        return "none"
    if lower is None or upper is None:
        return f"{value:.{digits}f} (too few for an interval)"
    return f"{value:.{digits}f} ({lower:.{digits}f} to {upper:.{digits}f})"
