"""Table: what a figure of the dashboard is made of; its plot is drawn from it, and its CSV is it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """One figure.

    Args:
        name: Small letters and hyphens, in addresses.
        title: For people.
        head: Names of the columns; the first one's values name the rows.
        rows: The values, a number or words.
        note: How it was counted.
        plot: ``bar``, ``stacked`` or ``line``; empty for none.
        plotted: Names of the columns that are plotted.
    """

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | int | float | None]]
    note: str = ""
    plot: str = ""
    plotted: Sequence[str] = ()

    def as_document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)
