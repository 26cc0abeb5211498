"""How a PET that cannot become SUV is refused: by the names of the attributes that are missing, with what to do."""

from collections.abc import Mapping

from datasets.errors import RejectedInput

KEEP = (
    "Export the series again with its whole header, or give the image in SUV as NIfTI. Whoever de-identifies it keeps "
    "patient characteristics and safe private elements, and shifts dates instead of removing them."
)
ANOTHER = "Choose another series of the examination, or give the image in SUV as NIfTI."


def require(attributes: Mapping[str, object], what: str) -> None:
    """Refuses a series that lacks attributes.

    Args:
        attributes: Value by the attribute's name; none, empty, zero and negative ones are missing.
        what: How the refusal calls the series.

    Raises:
        RejectedInput: ``pet-header-incomplete``, with the names of all that are missing.
    """
    missing = [name for name, value in attributes.items() if not value or (isinstance(value, float) and value < 0.0)]
    if missing:
        raise RejectedInput(
            "pet-header-incomplete",
            f"The values of {what} cannot become SUV: missing, empty or zero: {', '.join(missing)}.",
            remedy=KEEP,
        )
