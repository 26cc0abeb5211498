"""Method: all that Maskloop knows of a way to draw, in one frozen record; no torch here.

Functions are named as ``module:function``, so that a record may name what lies on the floors above it.
"""

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from training.table.option import Option, Preset


class PromptType(StrEnum):
    """A kind of prompt; automatic is none."""

    AUTOMATIC = "automatic"
    BOX = "box"
    POINT = "point"
    EXTREME_POINTS = "extreme-points"


class Extent(StrEnum):
    """What one answer draws."""

    SLICES = "slices"
    VOLUME = "volume"


class Unprompted(StrEnum):
    """What a method does without a prompt."""

    NOTHING = "nothing"
    DRAWS = "draws"
    AROUND_CONTOUR = "around-contour"
    """Draws around the contour that came with the studies, where there is one."""

    WHEN_ASKED = "when-asked"
    """Draws, but serves so only by a person's word: it learned from images cut around a tumour, and draws one even if
    there is none."""


@dataclass(frozen=True)
class Method:
    """A way to draw: its network, and its reading of the prompts.

    Args:
        name: Kebab-case name, as packages hold it.
        title: Its name in words.
        load: Makes the segmenter of a package, from its description and tensors; where it embeds slices, also from the
            store of the embeddings.
        user: Makes the simulated user who tries it, from `training.prompts.simulated_user.Habits`.
        prompts: Kinds of prompts that it reads, the usual one first; none where it draws by itself.
        serves: Those of them that a model of it may answer in Label Studio; None for all.
        serves_first: The kinds that its shipped model answers where nobody chose another.
        unprompted: What it does without a prompt.
        extent: What one answer draws.
        takes_any_image: Whether it draws on any image, or only on those that it learned from.
        draws_any_label: Whether it draws whatever it is shown, or the label that it learned.
        earlier_images: Kinds of images of the packages that do not name them.
        refines: Whether it goes on from a previous mask.
        is_corrected: Whether it is corrected click by click.
        embeds: Whether it embeds slices, which may be done before anybody opens them.
        convert: Makes its shipped package from installed weights, in a folder; empty where the package lies in
            ``training/pretrained``, or there is none.
        fit: Fits its networks on images and masks, as `training.fitting.choice.Fit` says; empty if it is not trained.
        bundle: Makes ``inference.json`` of its MONAI Bundle, as `training.exchange.bundle.export.MakeConfig`
            says; empty where a bundle holds the network alone.
        bundle_networks: Gives the networks of its packages as MONAI's own classes, from description and tensors; empty
            where they are none of MONAI's.
        iterations: Its own number of iterations: some minutes a fold on two processor cores.
        options: Its options beside those that all methods have.
        presets: Values of its options that go together, by a name.
        sees_all_images: Whether it learns from all images that every case has where none are named, or from the first.
        planned: Parameters that each fold plans from its own cases, each with the name under which an ensemble keeps
            those of all its members.
    """

    name: str
    title: str
    load: str
    user: str
    prompts: tuple[PromptType, ...] = ()
    serves: tuple[PromptType, ...] | None = None
    serves_first: tuple[PromptType, ...] = ()
    unprompted: Unprompted = Unprompted.NOTHING
    extent: Extent = Extent.VOLUME
    takes_any_image: bool = False
    draws_any_label: bool = False
    earlier_images: tuple[str, ...] = ()
    refines: bool = False
    is_corrected: bool = False
    embeds: bool = False
    convert: str = ""
    fit: str = ""
    bundle: str = ""
    bundle_networks: str = ""
    iterations: int = 0
    options: tuple[Option, ...] = ()
    presets: Mapping[str, Preset] = field(default_factory=dict, hash=False)
    sees_all_images: bool = False
    planned: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        """Pickled by its name, so that it is the same record in another process."""
        return function_called("training.table.table:method_called"), (self.name,)

    @cached_property
    def answers(self) -> tuple[PromptType, ...]:
        """Kinds of prompts that a model of it may answer, automatic among them where it draws without one."""
        served = self.prompts if self.serves is None else self.serves
        return served if self.unprompted is Unprompted.NOTHING else (*served, PromptType.AUTOMATIC)

    @property
    def only_when_asked(self) -> tuple[PromptType, ...]:
        """The kinds that it answers only where a person names them."""
        return (PromptType.AUTOMATIC,) if self.unprompted is Unprompted.WHEN_ASKED else ()

    @property
    def usual_prompt(self) -> PromptType:
        """The kind of prompt that people usually give it."""
        return self.prompts[0] if self.prompts else PromptType.AUTOMATIC

    @property
    def needs_contour(self) -> bool:
        """Whether it draws without a prompt only where a contour came with the studies."""
        return self.unprompted is Unprompted.AROUND_CONTOUR

    @property
    def draws_clicked_slices(self) -> bool:
        """Whether it draws only slices with a click, so that each slice is a session of its own."""
        return self.is_corrected and self.extent is Extent.SLICES


def function_called(name: str) -> Any:
    """The function or class that a record names as ``module:function``; imports its module."""
    return pkgutil.resolve_name(name)
