"""How the page of an evaluation writes numbers: means, p-values, and a dash where there is none."""

from datasets.pages.page import NOTHING


def spread(mean: float | None, sd: float | None) -> str:
    """Mean ± standard deviation."""
    return number(mean) if sd is None else f"{number(mean)} ± {number(sd)}"


def number(value: float | None, digits: int = 3) -> str:
    """A number with a true minus; a dash where there is none."""
    return NOTHING if value is None else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")  # no minus 0


def p_value(value: float | None) -> str:
    """A p-value to three decimals, already escaped."""
    if value is None:
        return NOTHING
    return "&lt; 0.001" if value < 0.001 else f"{value:.3f}"
