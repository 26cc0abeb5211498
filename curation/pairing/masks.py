"""Finds the masks of a patient's images, and reads each onto the grid of its own series."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from curation.names.bids_names import contradict
from curation.pairing.series_choice import PatientImages, spoken
from curation.scanning.found_series import FoundMask, FoundSeries
from curation.scanning.source_roles import plain_name
from datasets.dicom_masks.mask_set import unused_name
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.dicom_masks.segmentation import read_segment_set
from datasets.errors import GeometryError, RejectedInput
from datasets.files import sha256_of_file
from datasets.finding import Finding, Level
from datasets.formats.volume_file import read_mask
from datasets.gate import refuse_errors
from datasets.image.content_checks import check_mask, check_volume
from datasets.image.lattice import mask_on
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.labels.label_values import region_called
from datasets.study.protocol import Protocol

_MASK_REMEDY = "Export the mask on the slices of its own series, and ingest the study again."
_BACKGROUND = Finding(
    Level.ERROR,
    "mask-background",
    "The region holds all corners of the picture, as the background does; it is left out.",
    "Nothing, if it is the background; else save the mask with 0 as background, and 1 where it was drawn.",
)
"""An inverted mask, or the background's own value."""


@dataclass(frozen=True, eq=False)
class LoadedImages:
    """The voxels of a patient's images.

    Args:
        volumes: Role to volume, each on its own grid; without optional images that cannot be read.
        masks: Role to name of region to mask, each on its series' grid.
        mask_sources: Role to name of region to the SHA-256 of the file that it came from.
        findings: The images' own, those about the voxels, and the masks that are left out.
    """

    volumes: Mapping[str, Volume]
    masks: Mapping[str, Mapping[str, Mask]]
    mask_sources: Mapping[str, Mapping[str, str]]
    findings: tuple[Finding, ...]


def load_images(images: PatientImages) -> LoadedImages:
    """Reads all volumes and every mask that belongs to them.

    A mask or a region of it that cannot be read or lies on another grid than its series becomes a finding, and the case
    goes on without; so does an optional image that cannot be read.

    Raises:
        RejectedInput: A required volume cannot be read, holds no image (`check_volume`), or is the same as another
            (``series-identical``).
    """
    volumes, unread = _read_volumes(images)
    masks: dict[str, dict[str, Mask]] = {role: {} for role in volumes}
    sources: dict[str, dict[str, str]] = {role: {} for role in volumes}
    findings = [*images.findings, *unread]
    seen = _SeenMasks(images.protocol)
    for role, found in images.masks:
        if role is not None and role not in volumes:
            continue  # its image was left out
        try:
            own_role, regions, noted = _read_masks(found, role, images, volumes)
            digest = sha256_of_file(found.path)
        except (RejectedInput, OSError) as error:
            findings.append(_left_out(images, found, error))
            continue
        drawn = {name: mask for name, mask in regions.items() if not mask.holds_corners}
        noted = (*noted, *([_BACKGROUND] if len(drawn) < len(regions) else []))
        findings += [*_odd_masks(images, found, drawn, noted), *seen.compared(images, own_role, found, drawn)]
        for name, mask in drawn.items():
            name = unused_name(name, masks[own_role])
            masks[own_role][name], sources[own_role][name] = mask, digest
    return LoadedImages(volumes, masks, sources, tuple(findings))


def _read_volumes(images: PatientImages) -> tuple[dict[str, Volume], list[Finding]]:
    """The volumes, and findings about them. Raises where a required one is no image, or the same as another."""
    volumes: dict[str, Volume] = {}
    findings: list[Finding] = []
    for role, choice in images.chosen.items():
        subject = f"{images.reference}, series {choice.series.reference}"
        try:
            volume = choice.series.read()
            said = refuse_errors(check_volume(volume))
            _require_another(role, volume, volumes)
        except RejectedInput as error:
            if role in images.protocol.required:
                raise
            message = f"{error.message} The {spoken(role)} is optional: the case goes on without it."
            findings.append(Finding(Level.WARNING, error.code, message, error.remedy, subject))
            continue
        volumes[role] = volume
        findings += [replace(finding, subject=subject) for finding in said]
    return volumes, findings


def _require_another(role: str, volume: Volume, volumes: Mapping[str, Volume]) -> None:
    for other, read in volumes.items():
        if volume.grid.matches(read.grid) and np.ptp(read.data) > 0 and np.array_equal(volume.data, read.data):
            raise RejectedInput(
                "series-identical",
                f"{spoken(other, role)} have the same voxels.",
                remedy="Find out which it is, and add the other.",
            )


def assign_masks(
    masks: list[FoundMask],
    series: list[FoundSeries],
    chosen: Mapping[str, FoundSeries],
    *,
    protocol: Protocol,
    who: str,
) -> tuple[list[tuple[str | None, FoundMask]], list[Finding]]:
    """Masks of the chosen series with their role; None for a mask that does not name its series."""
    assigned: list[tuple[str | None, FoundMask]] = []
    findings: list[Finding] = []
    for mask in masks:
        if mask.is_volume_file:
            role, problem = _role_of_file(mask, series, chosen, protocol=protocol, who=who)
            findings += [problem] if problem else []
            assigned += [] if problem else [(role, mask)]
        elif _says_nothing(mask):
            assigned.append((None, mask))
        else:
            own = _series_of(mask, series)
            roles = [role for role, found in chosen.items() if any(found is one for one in own)]
            assigned += [(role, mask) for role in roles]
            if own and not roles:
                findings.append(_of_other_series(mask, protocol, who))
    return assigned, [*findings, *masks_without_series(masks, series, who)]


def _role_of_file(
    mask: FoundMask, series: list[FoundSeries], chosen: Mapping[str, FoundSeries], *, protocol: Protocol, who: str
) -> tuple[str | None, Finding | None]:
    """The role of a volume file's mask, None where it names none, or a finding where it belongs to none of them."""
    roles = [mask.named_role] if mask.named_role is not None else list(chosen)
    fitting = [role for role in roles if role in chosen and not contradict(mask.made_by, chosen[role].made_by)]
    visits = {found.visit for found in series if found.dicom is None}
    if mask.other_image or not fitting:
        return None, _of_other_series(mask, protocol, who)
    if len(visits) > 1 and "ses" not in mask.made_by:
        return None, _of_which_visit(mask, who)
    return (fitting[0] if len(fitting) == 1 else None), None


def masks_without_series(masks: list[FoundMask], series: list[FoundSeries], who: str) -> list[Finding]:
    """Findings about structure sets and segmentations whose series are missing."""
    message = "The series that the mask was drawn on is not in the folder; the mask is left out."
    return [
        Finding(
            Level.WARNING, "mask-without-series", message, "Add that series to the folder.", f"{who}, {mask.reference}"
        )
        for mask in masks
        if not mask.is_volume_file and not _says_nothing(mask) and not _series_of(mask, series)
    ]


def _says_nothing(mask: FoundMask) -> bool:
    """Whether a DICOM mask names neither series nor images: then its position decides."""
    return not mask.is_volume_file and not mask.series_uids and not mask.image_uids


def _series_of(mask: FoundMask, series: list[FoundSeries]) -> list[FoundSeries]:
    """The series whose images a mask's contours name, else those that it lists: planning systems list all that were
    open."""
    dicom = [(found, found.dicom) for found in series if found.dicom is not None]
    named = [found for found, one in dicom if any(header.uids & mask.image_uids for header in one.slices)]
    return named or [found for found, one in dicom if one.series_uid in mask.series_uids]


def _of_other_series(mask: FoundMask, protocol: Protocol, who: str) -> Finding:
    message = f"The mask was drawn on {_none_of(protocol.roles)}; it is left out."
    remedy = "Nothing, if the choice of series is right."
    return Finding(Level.INFO, "mask-of-other-series", message, remedy, f"{who}, {mask.reference}")


def _none_of(roles: tuple[str, ...]) -> str:
    named = [f"the chosen {spoken(role)}" for role in roles]
    if len(named) == 1:
        return f"another image than {named[0]}"
    return "neither " + " nor ".join(named) if len(named) == 2 else "none of " + ", ".join(named)


def _of_which_visit(mask: FoundMask, who: str) -> Finding:
    message = "The mask does not say which session it belongs to, and its patient has several; it is left out."
    remedy = "Give it the session of its image (ses-…)."
    return Finding(Level.WARNING, "mask-session-unclear", message, remedy, f"{who}, {mask.reference}")


def _read_masks(
    found: FoundMask, role: str | None, images: PatientImages, volumes: Mapping[str, Volume]
) -> tuple[str, Mapping[str, Mask], tuple[Finding, ...]]:
    """A file's regions, the role of their series, and findings about reading them.

    A mask that does not name its series goes to the image that is drawn on, or else to another, by its grid.
    """
    drawn = images.protocol.drawn
    roles = [role] if role is not None else sorted(volumes, key=lambda one: one != drawn)
    if not found.is_volume_file:
        return _read_dicom_masks(found, roles, images)
    own, mask, noted = _on_its_series(read_mask(found.path), {one: volumes[one].grid for one in roles})
    return own, _regions_of(mask, found), noted


def _on_its_series(mask: Mask, grids: Mapping[str, Grid]) -> tuple[str, Mask, tuple[Finding, ...]]:
    """The mask on the first of the grids that has its points, the whole of them rather than a box.

    Raises:
        RejectedInput: None has (``mask-grid``); with how far it lies from the first, and which way.
    """
    refusal: GeometryError | None = None
    found: list[tuple[str, Mask, tuple[Finding, ...]]] = []
    for role, grid in grids.items():
        try:
            found.append((role, *mask_on(mask, grid, what="The mask")))
        except GeometryError as error:
            refusal = refusal or error
    if not found and refusal is not None:
        raise RejectedInput("mask-grid", refusal.message, remedy=_MASK_REMEDY)
    whole = [one for one in found if np.prod(grids[one[0]].shape) == mask.data.size]
    return (whole or found)[0]


def _read_dicom_masks(
    found: FoundMask, roles: list[str], images: PatientImages
) -> tuple[str, Mapping[str, Mask], tuple[Finding, ...]]:
    """The regions on the first of the roles' series that they lie on; raises what the last refuses."""
    refusal: RejectedInput | None = None
    for role in roles:
        dicom = images.chosen[role].series.dicom
        if dicom is None:
            continue
        try:
            reads = read_segment_set if found.is_segmentation else read_structure_set
            regions = reads(found.path, dicom)
        except RejectedInput as error:
            refusal = error
        else:
            return role, _renamed(regions.masks, found.renamed), regions.findings
    raise refusal or RejectedInput(
        "mask-without-series",
        "The mask is that of a DICOM series, and the patient's images are none.",
        remedy=_MASK_REMEDY,
    )


def _regions_of(mask: Mask, found: FoundMask) -> dict[str, Mask]:
    """One mask a region, named by its values' meaning, or by the value's number where it has no name.

    Raises:
        RejectedInput: Nothing says what the values mean (``mask-values-unclear``).
    """
    if not found.labels:
        raise RejectedInput(
            "mask-values-unclear",
            "Nothing says what this mask's values mean, and the folder's masks have several values or differ.",
            remedy="Say it with --label-values, such as --label-values tumour=2,oedema=1, and ingest again.",
        )
    regions: dict[str, Mask] = {}
    for said, values in found.regions_of(int(value) for value in np.unique(mask.data) if value):
        name = unused_name(said, regions)
        regions[name] = Mask(np.isin(mask.data, values).astype(np.uint8), mask.grid, {1: name})
    return regions


def _renamed(regions: Mapping[str, Mask], names: Mapping[str, str]) -> dict[str, Mask]:
    """Regions of a DICOM mask by the names that they were given; what has one name is one region, '' is left out."""
    kept: dict[str, Mask] = {}
    for name, mask in regions.items():
        called = names.get(plain_name(name), name)
        if called in kept:
            mask = Mask(np.maximum(kept[called].data, mask.data), mask.grid, {1: called})
        if called:
            kept[called] = mask
    return kept


def _odd_masks(
    images: PatientImages, found: FoundMask, regions: Mapping[str, Mask], noted: tuple[Finding, ...]
) -> Iterator[Finding]:
    """Warnings about a file's regions: how they were read, and whether they can be one tumour."""
    subject = f"{images.reference}, {found.reference}"
    yield from (replace(finding, subject=f"{subject}, {finding.subject}".rstrip(", ")) for finding in noted)
    if not regions and not noted:
        yield replace(_nothing_in(found), subject=subject)
    unnamed = [name for name in regions if found.is_volume_file and name not in found.labels.values()]
    if unnamed:
        message = f"{len(unnamed)} label(s) have no name; they are named by their value."
        yield Finding(Level.INFO, "mask-labels", message, "Check what these labels mean.", subject)
    noticed = {finding.code: finding for mask in regions.values() for finding in check_mask(mask)}
    yield from (replace(finding, subject=subject) for finding in noticed.values())


def _nothing_in(found: FoundMask) -> Finding:
    """Why a file has no region: it is empty, rightly or not, or holds nothing of the study's."""
    if found.may_be_empty:
        message = "The mask is empty, as its publisher says."
        return Finding(Level.INFO, "mask-rightly-empty", message, "Nothing.")
    if found.left_out:
        message = "The mask is empty, or holds only labels that were left out."
        return Finding(Level.INFO, "mask-without-labels", message, "Nothing, if they are not wanted.")
    return Finding(Level.WARNING, "mask-empty", "The mask is empty.", "Draw it, or leave the file out.")


class _SeenMasks:
    """The labels' masks of the files read so far, to find files that contradict each other."""

    def __init__(self, protocol: Protocol) -> None:
        self._labels = protocol.labels
        self._masks: dict[tuple[str, str], list[tuple[FoundMask, Mask]]] = {}

    def compared(
        self, images: PatientImages, role: str, found: FoundMask, regions: Mapping[str, Mask]
    ) -> Iterator[Finding]:
        """A finding for each region whose mask in another file differs."""
        for name, mask in regions.items():
            label = region_called(name, self._labels)
            earlier = self._masks.setdefault((role, label), [])
            others = [other for other, drawn in earlier if other is not found and not _is_same(drawn, mask)]
            earlier.append((found, mask))
            if others and label in {one.name for one in self._labels}:
                message = f"The mask of the {label.lower()} differs from that of {others[0].reference}."
                remedy = "Both are kept. To have one, leave only that in the folder before the case is first ingested."
                yield Finding(Level.WARNING, "masks-differ", message, remedy, f"{images.reference}, {found.reference}")


def _is_same(one: Mask, other: Mask) -> bool:
    return bool(np.array_equal(one.foreground, other.foreground))


def _left_out(images: PatientImages, found: FoundMask, error: RejectedInput | OSError) -> Finding:
    subject = f"{images.reference}, {found.reference}"
    if isinstance(error, RejectedInput):
        return Finding(Level.ERROR, error.code, f"{error.message} The mask is left out.", error.remedy, subject)
    message = f"The mask cannot be read ({type(error).__name__}); it is left out."
    return Finding(Level.ERROR, "file-unreadable", message, "Check the file's permissions and the disk.", subject)
