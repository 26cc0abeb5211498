"""The search for the motion of one image onto another, and the choice among the motions found.

The search starts from the scanner's own alignment and from the two bodies' centres on each other, coarse to fine; where
neither convinces, also from one of them turned. The scanner's own alignment stands unless the images say otherwise, and
a rigid motion stands unless an affine one is clearly better by two measures.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from curation.registration import ants_search, itk_search
from curation.registration.deformation import Deformation
from curation.registration.search_images import SearchImage, SearchImages
from curation.registration.similarity import Similarity, compare, contrast_with_nearby, scales, turn_about
from curation.registration.source_image import SourceImage
from datasets.errors import RejectedInput
from datasets.image.resample import Interpolation, resample_volume
from datasets.image.volume import Affine

HEADER, RIGID, AFFINE = "header", "rigid", "affine"
"""Kinds of the transform that is kept: the scanner's own alignment, a rigid motion, or an affine one."""

CONVINCING_EDGES = 1.25
"""Where the edges agree this many times better than a centimetre away, a start is believed without trying others."""

SAME_PLACE_MM = 3.0
"""Motions that take the body's points to within this distance of each other, on average, found the same place."""

FURTHER_STARTS = 3
"""How many of the turned starts, the best first, go on to the second level."""

ANTS_PATIENCE = 5
"""ANTs' gradient descent takes several times the steps of the fast preset's quasi-Newton search."""

TURNED_DEGREES = 14.0
"""How far the fixed image is turned, about each axis and both ways, for the further starts."""


class Preset(StrEnum):
    """The library that searches the motion."""

    FAST = "fast"
    ANTS = "ants"


class Motion(StrEnum):
    """The most that a registration may do to the moving image."""

    RIGID = "rigid"
    AFFINE = "affine"
    DEFORMABLE = "deformable"


@dataclass(frozen=True)
class SearchLevel:
    """One step of a search from coarse to fine.

    Args:
        spacing_mm: Voxels finer than this are averaged to about this size; coarser ones stay.
        iterations: Most steps of the optimiser.
    """

    spacing_mm: float
    iterations: int


@dataclass(frozen=True)
class RegistrationSettings:
    """Settings of the search for a motion.

    Args:
        preset: SimpleITK's search inside the body (`Preset.FAST`), or that of ANTs, the method of MSTT-199.
        motion: The most that is allowed; a deformation is searched by ANTs with either preset.
        seed: Places the sampled points.
        levels: From coarse to fine, for the rigid motion. The first one is where starts are compared.
        affine_levels: From coarse to fine, for the affine motion that starts from the rigid one.
        samples: How many points of a level are compared, all where it has fewer. On four pairs 60,000 left as small an
            error (0.16 mm) as a million.
        ants_samples: The same for ANTs: 14,000 left errors of up to 5 mm on a phantom where 70,000 left 0.3 mm.
        interpolation: How the moving image comes onto the case's grid.
        min_affine_gain: Share of mutual information an affine motion must gain over the rigid one to be kept. On pairs
            of real anatomy that were moved rigidly it gained -0.005 to 0.007, on pairs that were also stretched by up
            to 5 percent 0.05 to 1.25.
        max_stretch: Largest share by which an affine motion may stretch or squeeze along any direction.
        min_overlap: Smallest share of the fixed image's body that the moving one must cover, before and after.

    Raises:
        RejectedInput: There is no level for the rigid motion, or no such preset or motion.
    """

    preset: Preset = Preset.FAST
    motion: Motion = Motion.AFFINE
    seed: int = 20
    levels: tuple[SearchLevel, ...] = (SearchLevel(4.0, 80), SearchLevel(2.0, 40), SearchLevel(1.0, 30))
    affine_levels: tuple[SearchLevel, ...] = (SearchLevel(2.0, 60), SearchLevel(1.0, 30))
    samples: int = 50_000
    ants_samples: int = 100_000
    interpolation: Interpolation = Interpolation.LINEAR
    min_affine_gain: float = 0.02
    max_stretch: float = 0.12
    min_overlap: float = 0.1

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "preset", Preset(self.preset))
            object.__setattr__(self, "motion", Motion(self.motion))
        except ValueError:
            raise RejectedInput(
                "registration-settings",
                f"The preset is none of {', '.join(Preset)}, or the motion none of {', '.join(Motion)}.",
                remedy="Choose one of these.",
            ) from None
        if not self.levels:
            raise RejectedInput("registration-levels", "The search has no level.", remedy="Give the search a level.")


@dataclass(frozen=True, eq=False)
class ChosenMotion:
    """The motion that was chosen.

    Args:
        transform: (4, 4) RAS+ millimetres of the fixed image to those of the moving one.
        kept: `HEADER`, `RIGID` or `AFFINE`.
        reason: Why that and not another, in one sentence.
        before: Agreement under the scanner's own alignment.
        after: Agreement under `transform`.
        deformation: The deformation that remains after `transform`, where one was requested.
        rival: The most convincing motion from another start that ended elsewhere; None where all ended here.
        images: Both as the search saw them.
    """

    transform: Affine
    kept: str
    reason: str
    before: Similarity
    after: Similarity
    rival: Affine | None
    images: SearchImages
    deformation: Deformation | None = None


@dataclass(frozen=True, eq=False)
class _Found:
    """The end of the search from one start."""

    transform: Affine
    similarity: Similarity

    @property
    def rank(self) -> float:
        """Mutual information, discounted by the share of the fixed image's body that is not reached."""
        return self.similarity.mutual_information * self.similarity.overlap


def choose_motion(moving: SourceImage, fixed: SourceImage, settings: RegistrationSettings) -> ChosenMotion:
    """Searches a rigid motion, then an affine one from there, and keeps the simplest that the images support.

    Raises:
        RejectedInput: The two show different places (``no-overlap``), or no search came to an end
            (``registration-failed``).
    """
    search = _Search(SearchImages(moving, fixed), settings)
    before = search.similarity(np.eye(4))
    _require_overlap(before, search, when="as the scanner placed them")
    starts = search.from_starts()
    best = max(starts, key=lambda found: found.rank)
    _require_overlap(best.similarity, search, when="after the rigid motion")
    rigid = search.refined(best.transform, settings.levels[2:], is_rigid=True)
    transform, kept, reason, after = _believed(search, before, rigid)
    return ChosenMotion(
        transform,
        kept,
        reason,
        before=before,
        after=after,
        rival=_rival(starts, best, search),
        images=search.images,
        deformation=_deformation(search, transform) if settings.motion is Motion.DEFORMABLE else None,
    )


def placed_by_headers(moving: SourceImage, fixed: SourceImage, settings: RegistrationSettings) -> ChosenMotion:
    """The scanner's own alignment, believed as it is: nothing is searched.

    Raises:
        RejectedInput: The two show different places (``no-overlap``).
    """
    search = _Search(SearchImages(moving, fixed), settings)
    before = search.similarity(np.eye(4))
    _require_overlap(before, search, when="as the scanner placed them")
    reason = "The scanner's coordinates are believed; only that the two fit was checked."
    return ChosenMotion(np.eye(4), HEADER, reason, before, after=before, rival=None, images=search.images)


def _deformation(search: "_Search", transform: Affine) -> Deformation:
    """The remaining deformation, searched at the second level: finer images gain little and take hours."""
    moving, fixed = search.at_second_level
    moved = resample_volume(moving.volume, fixed.volume.grid, transform=transform, outside=search.outside)
    return ants_search.deform(fixed.volume, moved, seed=search.settings.seed)


def _believed(search: "_Search", before: Similarity, rigid: _Found) -> tuple[Affine, str, str, Similarity]:
    """The simplest motion that the images support: (transform, kind, reason, agreement)."""
    settings = search.settings
    if rigid.similarity.mutual_information <= before.mutual_information:
        reason = "No rigid motion gained mutual information over the scanner's own alignment."
        return np.eye(4), HEADER, reason, before
    if settings.motion is Motion.RIGID or not settings.affine_levels:
        return rigid.transform, RIGID, "No affine motion was asked for.", rigid.similarity
    affine = search.refined(rigid.transform, settings.affine_levels[:1], is_rigid=False)
    if not _doubt(affine, rigid, settings):
        affine = search.refined(affine.transform, settings.affine_levels[1:], is_rigid=False)
    if doubt := _doubt(affine, rigid, settings):
        return rigid.transform, RIGID, doubt, rigid.similarity
    return (
        affine.transform,
        AFFINE,
        "The affine motion is better than the rigid one by both measures.",
        affine.similarity,
    )


class _Search:
    """The search of one pair, level by level."""

    def __init__(self, images: SearchImages, settings: RegistrationSettings) -> None:
        self.images = images
        self.settings = settings

    @property
    def outside(self) -> float:
        """The intensity where the clipped moving image does not reach."""
        return self.images.outside

    @property
    def at_second_level(self) -> tuple[SearchImage, SearchImage]:
        """The moving and the fixed image at the level where agreement is measured."""
        return self.images.at(self.settings.levels[min(1, len(self.settings.levels) - 1)].spacing_mm)

    def similarity(self, transform: Affine) -> Similarity:
        """Agreement inside the fixed image's body, at the second level."""
        return compare(*self.at_second_level, transform)

    def from_starts(self) -> list[_Found]:
        """Where each start ends after the first two levels; more starts where the usual two do not convince.

        Raises:
            RejectedInput: None of them came to an end.
        """
        centred = self._centred()
        coarse = self._all_from([np.eye(4), centred], self.settings.levels[:1])
        found = self._all_from(self._different(coarse), self.settings.levels[1:2])
        best = max(found, key=lambda one: one.rank, default=None)
        if best is None or self._contrast(best.transform) < CONVINCING_EDGES:
            turned = self._all_from([*self._turned(np.eye(4)), *self._turned(centred)], self.settings.levels[:1])
            further = sorted(turned, key=lambda one: one.rank, reverse=True)[:FURTHER_STARTS]
            found += self._all_from(self._different(further), self.settings.levels[1:2])
        if not found:
            raise RejectedInput(
                "registration-failed",
                f"No search for the motion between {self.images.moving.title} and {self.images.fixed.title} came to an "
                "end, from any start.",
                remedy="Look at both series: they should show the same body part and be more than a few voxels thick.",
            )
        return found

    def refined(self, start: Affine, levels: tuple[SearchLevel, ...], *, is_rigid: bool) -> _Found:
        """The motion found from `start`, each level starting where the one before ended."""
        for level in levels:
            start = self._step(start, level, is_rigid=is_rigid)
        return _Found(start, self.similarity(start))

    def _different(self, found: list[_Found]) -> list[Affine]:
        """The transforms of the ends found, one for each place."""
        different: list[Affine] = []
        for one in found:
            if all(self.images.distance_mm(one.transform, other) > SAME_PLACE_MM for other in different):
                different.append(one.transform)
        return different

    def _all_from(self, starts: list[Affine], levels: tuple[SearchLevel, ...]) -> list[_Found]:
        """Where each start ends; those that end nowhere are left out."""
        found = []
        for start in starts:
            try:
                found.append(self.refined(start, levels, is_rigid=True))
            except RejectedInput:  # this start leads nowhere; another may
                continue
        return found

    def _step(self, start: Affine, level: SearchLevel, *, is_rigid: bool) -> Affine:
        moving, fixed = self.images.at(level.spacing_mm)
        if self.settings.preset is Preset.ANTS:
            return ants_search.search(
                fixed.volume,
                moving.volume,
                kind=ants_search.RIGID_KIND if is_rigid else ants_search.AFFINE_KIND,
                start=start,
                iterations=level.iterations * ANTS_PATIENCE,
                sampling_rate=min(1.0, self.settings.ants_samples / fixed.body.size),
                seed=self.settings.seed,
            )
        return itk_search.search(
            fixed.volume,
            moving.volume,
            mask=fixed.body,
            is_rigid=is_rigid,
            is_far=level is self.settings.levels[0],
            start=start,
            iterations=level.iterations,
            samples=self.settings.samples,
            seed=self.settings.seed,
        )

    def _centred(self) -> Affine:
        """The two bodies' centres on each other."""
        moving, fixed = self.images.at(self.settings.levels[0].spacing_mm)
        shift = np.eye(4)
        shift[:3, 3] = moving.centre - fixed.centre
        return shift

    def _turned(self, start: Affine) -> list[Affine]:
        """`start` after the fixed image was turned about its body's centre, about each axis and both ways."""
        centre = self.images.at(self.settings.levels[0].spacing_mm)[1].centre
        axes = np.vstack([np.eye(3), -np.eye(3)])
        return [start @ turn_about(axis, TURNED_DEGREES, centre=centre) for axis in axes]

    def _contrast(self, transform: Affine) -> float:
        return contrast_with_nearby(*self.at_second_level, transform).edges


def _rival(starts: list[_Found], best: _Found, search: _Search) -> Affine | None:
    """The most convincing of the motions that ended more than `SAME_PLACE_MM` from the best one."""
    others = [one for one in starts if search.images.distance_mm(one.transform, best.transform) > SAME_PLACE_MM]
    rival = max(others, key=lambda found: found.rank, default=None)
    return None if rival is None else rival.transform


def _doubt(affine: _Found, rigid: _Found, settings: RegistrationSettings) -> str:
    """Why the affine motion is not kept; empty where it is."""
    largest, _, smallest = scales(affine.transform)
    upright = np.linalg.det(affine.transform) > 0
    if largest > 1.0 + settings.max_stretch or smallest < 1.0 - settings.max_stretch or not upright:
        return f"The affine motion stretches by {smallest:.3f} to {largest:.3f}, more than a body in a scanner does."
    gained = affine.similarity.mutual_information / rigid.similarity.mutual_information - 1.0
    if gained < settings.min_affine_gain:
        return f"The affine motion gains {gained:.2%} of mutual information, too little to trust it."
    if affine.similarity.edge_agreement < rigid.similarity.edge_agreement:
        return "The affine motion gains mutual information, but the edges agree less."
    return ""


def _require_overlap(similarity: Similarity, search: "_Search", *, when: str) -> None:
    moving, fixed, least = search.images.moving.title, search.images.fixed.title, search.settings.min_overlap
    if similarity.overlap < least:
        raise RejectedInput(
            "no-overlap",
            f"Expected {moving} to cover at least {least:.0%} of {fixed}'s body, got {similarity.overlap:.0%} {when}.",
            remedy=f"Choose a {moving} and a {fixed} of the same examination and body part.",
        )
