"""How images lie that a foreign bundle draws on: by its own transforms, or by what a person says. No torch here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datasets.errors import RejectedInput
from training.segmenters.imported.bundle_plan import TARGET

_TURNS, _RESAMPLES = "Orientationd", "Spacingd"


@dataclass(frozen=True)
class Placing:
    """What a person says of the images that a bundle learned from, where its transforms do not.

    Args:
        axcodes: Where their axes run, such as ``RAS``; empty for nothing.
        spacing: Millimetres of their voxels; () for nothing.
    """

    axcodes: str = ""
    spacing: tuple[float, ...] = ()

    @property
    def says(self) -> bool:
        """Whether it says anything."""
        return bool(self.axcodes or self.spacing)

    def placed(self, steps: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
        """A bundle's transforms with those that it lacks, and findings where nobody says how images should lie.

        Raises:
            RejectedInput: The bundle says itself what was said (``bundle-placed``).
        """
        found, findings = list(steps), []
        known = [str(step[TARGET]) for step in found]
        if (self.axcodes and _TURNS in known) or (self.spacing and _RESAMPLES in known):
            raise RejectedInput(
                "bundle-placed",
                "The bundle's own transforms say where the axes of its images run, or how large their voxels are.",
                remedy="Leave out --axcodes or --spacing.",
            )
        if self.spacing:
            after = known.index(_TURNS) + 1 if _TURNS in known else 0
            found.insert(after, {TARGET: _RESAMPLES, "pixdim": list(self.spacing), "mode": "bilinear"})
        elif _RESAMPLES not in known:
            findings.append(
                "The bundle does not bring images to one size of voxels, so each is drawn as it is: name the size that "
                "it learned from with --spacing. [bundle-spacing]"
            )
        if self.axcodes:
            found.insert(0, {TARGET: _TURNS, "axcodes": self.axcodes})
        elif _TURNS not in known:
            findings.append(
                "The bundle does not turn images, so each is drawn as it lies, on the wrong side where those that it "
                "learned from lay otherwise: say with --axcodes how they lay. [bundle-orientation]"
            )
        return found, findings
