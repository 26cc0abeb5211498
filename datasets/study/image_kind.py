"""The kind of an image: what a model has to know of the images that it learned from, whatever a study calls them.

A kind has a word for documents, files of weights and commands: ``t1``, ``t2``, ``pd``, ``flair``, ``t2star``, ``mr``,
``ct``, ``pet``, with ``-fs`` or ``-nofs`` (with or without fat suppression) and ``-ce`` (after a contrast agent). What
a word leaves out is as usual: a T1 is without fat suppression, any MR image is before contrast, all else may be either.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from datasets.errors import RejectedInput
from datasets.study.protocol import ImageRole, Modality, Wanted, Weighting

_MODALITIES = {"mr": Modality.MR, "ct": Modality.CT, "pet": Modality.PET}
_WEIGHTINGS = {
    "t1": Weighting.T1,
    "t2": Weighting.T2,
    "pd": Weighting.PROTON_DENSITY,
    "t2star": Weighting.T2_STAR,
    "flair": Weighting.FLAIR,
}
_WORD = re.compile(rf"({'|'.join([*_WEIGHTINGS, *_MODALITIES])})(?:-(fs|nofs))?(?:-(ce))?")

T1, T2 = "t1", "t2"
"""Words of the kinds from which models learned before there were others."""

USUAL_WORDS = (T1, T2, "ct", "pet")
"""The words that people need most, for helps and messages."""


class Fit(IntEnum):
    """How well an image of a role suits a model that learned from a kind, the better the larger."""

    OTHER = 0
    """It is another kind of image."""

    DOUBTFUL = 1
    """It may be another kind: a person has to say so before a model draws on it."""

    FITS = 2
    """It is of the kind."""


@dataclass(frozen=True)
class Fitting:
    """How an image of a role suits a kind.

    Args:
        fit: How well.
        reason: Why not, or what is doubtful, as the end of a sentence; empty where it fits.
    """

    fit: Fit
    reason: str = ""


@dataclass(frozen=True)
class ImageKind:
    """The kind of an image.

    Args:
        modality: The machine.
        weighting: Of an MR image; None for any.
        fat_suppression: Whether it is fat-suppressed; None for either.
        contrast: Whether it was taken after a contrast agent; None for either.
    """

    modality: Modality
    weighting: Weighting | None = None
    fat_suppression: bool | None = None
    contrast: bool | None = None

    @classmethod
    def from_word(cls, word: str) -> "ImageKind":
        """The kind of a word.

        Raises:
            RejectedInput: No kind has this word (``image-kind``).
        """
        found = _WORD.fullmatch(word)
        if found is None or (found[1] in ("ct", "pet") and found[2]):
            raise RejectedInput(
                "image-kind",
                f"Expected a kind of image such as {', '.join(USUAL_WORDS)}, t2-fs or t1-ce, got {word[:40]!r}.",
                remedy="Correct the word, or use the version of Maskloop that wrote it.",
            )
        weighting = _WEIGHTINGS.get(found[1])
        modality = _MODALITIES.get(found[1], Modality.MR)
        fat, contrast = _usual(modality, weighting)
        return cls(
            modality,
            weighting,
            fat if found[2] is None else found[2] == "fs",
            contrast if found[3] is None else True,
        )

    @classmethod
    def of_role(cls, role: ImageRole) -> "ImageKind":
        """The kind that images of a protocol's role are, for a model that learns from them."""
        weighting = role.weighting if role.modality == Modality.MR else None
        fat, contrast = _usual(role.modality, weighting)
        if role.modality != Modality.MR:
            return cls(Modality(role.modality))
        return cls(
            Modality.MR, weighting, _wanted(role.fat_suppression, usual=fat), _wanted(role.contrast, usual=contrast)
        )

    @cached_property
    def word(self) -> str:
        """The word for documents: parts that are as usual are left out."""
        fat, contrast = _usual(self.modality, self.weighting)
        parts = [self._stem]
        if self.fat_suppression is not None and self.fat_suppression != fat:
            parts.append("fs" if self.fat_suppression else "nofs")
        if self.contrast and not contrast:
            parts.append("ce")
        return "-".join(parts)

    @property
    def title(self) -> str:
        """The kind for people, such as ``T2 with fat suppression``."""
        name = "PET" if self.modality is Modality.PET else str(self.weighting or self.modality)
        fat, contrast = _usual(self.modality, self.weighting)
        if self.fat_suppression is not None and self.fat_suppression != fat:
            name = f"{name} {'with' if self.fat_suppression else 'without'} fat suppression"
        return f"{name} after contrast" if self.contrast and not contrast else name

    def fits(self, role: ImageRole) -> Fitting:
        """Whether images of a protocol's role are of this kind."""
        if role.modality != self.modality:
            return Fitting(Fit.OTHER, f"{role.name} is {_NAMES[Modality(role.modality)]}")
        if self.modality is not Modality.MR:
            return self._with_contrast(role)
        if self.weighting is not None and role.weighting is None:
            return Fitting(Fit.DOUBTFUL, f"{role.name} may have any weighting")
        if self.weighting is not None and role.weighting != self.weighting:
            return Fitting(Fit.OTHER, f"{role.name} is {role.weighting}")
        return min(self._with_fat(role), self._with_contrast(role), key=lambda found: found.fit)

    def _with_fat(self, role: ImageRole) -> Fitting:
        usual, _ = _usual(self.modality, self.weighting)
        fit = _fit(self.fat_suppression, role.fat_suppression, usual=usual)
        return Fitting(fit, "" if fit is Fit.FITS else f"{role.name} is {_ON_FAT[role.fat_suppression]}")

    def _with_contrast(self, role: ImageRole) -> Fitting:
        _, usual = _usual(self.modality, self.weighting)
        fit = _fit(self.contrast, role.contrast, usual=usual)
        return Fitting(fit, "" if fit is Fit.FITS else f"{role.name} is {_ON_CONTRAST[role.contrast]}")

    @property
    def _stem(self) -> str:
        words = _WEIGHTINGS if self.weighting is not None else _MODALITIES
        meant = self.weighting or self.modality
        return next(word for word, value in words.items() if value == meant)


_NAMES = {Modality.MR: "an MR image", Modality.CT: "a CT", Modality.PET: "a PET"}

_ON_FAT = {
    Wanted.REQUIRE: "fat-suppressed",
    Wanted.PREFER: "mostly fat-suppressed",
    Wanted.ALLOW: "with or without fat suppression",
    Wanted.AVOID: "mostly without fat suppression",
    Wanted.REFUSE: "without fat suppression",
}
_ON_CONTRAST = {
    Wanted.REQUIRE: "after contrast",
    Wanted.PREFER: "mostly after contrast",
    Wanted.ALLOW: "before or after contrast",
    Wanted.AVOID: "mostly before contrast",
    Wanted.REFUSE: "before contrast",
}


def is_kind(word: str) -> bool:
    """Whether a word is that of a kind of image."""
    try:
        ImageKind.from_word(word)
    except RejectedInput:
        return False
    return True


def modality_of(word: str) -> Modality:
    """The machine of the kind of a word; MR where it is that of no kind, as most images here are."""
    return ImageKind.from_word(word).modality if is_kind(word) else Modality.MR


def roles_of(kind: ImageKind, images: Iterable[ImageRole], *, drawn: str) -> dict[str, Fitting]:
    """The roles whose images may be shown to a model that learned from a kind, the best first.

    Args:
        kind: Of one of the model's images.
        images: A protocol's, in its order.
        drawn: Name of the image that is drawn on: among those that fit equally well it comes first.

    Returns:
        Those that fit; where none does, those that are doubtful.
    """
    found = {role.name: kind.fits(role) for role in images}
    best = max((fitting.fit for fitting in found.values()), default=Fit.OTHER)
    if best is Fit.OTHER:
        return {}
    names = sorted((name for name in found if found[name].fit is best), key=lambda name: name != drawn)
    return {name: found[name] for name in names}


def _usual(modality: str, weighting: Weighting | None) -> tuple[bool | None, bool | None]:
    """What a word means that says nothing of fat suppression, and nothing of contrast."""
    return (False if weighting is Weighting.T1 else None), (False if modality == Modality.MR else None)


def _wanted(wish: Wanted, *, usual: bool | None) -> bool | None:
    """What most images of a role are like."""
    if wish is Wanted.ALLOW:
        return usual
    return wish in (Wanted.REQUIRE, Wanted.PREFER)


def _fit(has: bool | None, wish: Wanted, *, usual: bool | None) -> Fit:
    """How a property of the images that a model learned from suits what a protocol wants of a role's images."""
    if has is None:
        return Fit.FITS
    agreeing = (Wanted.REQUIRE, Wanted.PREFER) if has else (Wanted.REFUSE, Wanted.AVOID)
    if wish in agreeing or (wish is Wanted.ALLOW and has == usual):
        return Fit.FITS
    # A word that says nothing is no proof of the contrary: images after contrast may have been among them.
    opposite = Wanted.REFUSE if has else Wanted.REQUIRE
    return Fit.OTHER if wish is opposite and has != usual else Fit.DOUBTFUL
