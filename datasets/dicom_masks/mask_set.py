"""The masks of one file with several regions, and the findings about them."""

from collections.abc import Mapping
from dataclasses import dataclass

from datasets.finding import Finding
from datasets.gate import refuse_errors
from datasets.image.mask import Mask


@dataclass(frozen=True)
class MaskSet:
    """Regions by name, and findings.

    Args:
        masks: Name of a region to its mask: value 1, labelled with the region's name.
        findings: An error is about a region that could not be read and is not among the masks; a warning about one
            that was read by a rule worth knowing. Regions are called by number: their names are free text.
    """

    masks: Mapping[str, Mask]
    findings: tuple[Finding, ...] = ()

    def sound(self) -> dict[str, Mask]:
        """The masks, where every region could be read.

        Raises:
            RejectedInput: The first error among the findings.
        """
        refuse_errors(self.findings)
        return dict(self.masks)


def unused_name(name: str, taken: Mapping[str, Mask]) -> str:
    """The name, with a number behind it where it is taken."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name} ({number})"
    return candidate
