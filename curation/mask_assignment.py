"""Which masks belong to a pair's series, and reading them onto their own series' grid."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from curation.found_series import FoundMask, FoundSeries
from curation.series_choice import PatientPair
from datasets.case import SeriesRole
from datasets.content_checks import check_mask, check_volume
from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.finding import Finding, Level
from datasets.gate import refuse_errors
from datasets.mask import TUMOUR, Mask
from datasets.nifti import read_mask
from datasets.rtstruct import read_structure_set, unused_name
from datasets.volume import Volume

_MASK_REMEDY = "Export the mask on the slices of its own series, and ingest the study again."


@dataclass(frozen=True, eq=False)
class LoadedPair:
    """A pair's voxels.

    Args:
        volumes: T1 and T2, each on its own grid.
        masks: Role to name of region to mask, each on its series' grid.
        mask_sources: Role to name of region to the SHA-256 of the file that it came from.
        findings: The pair's own, what is odd about the voxels, and the masks that are left out.
    """

    volumes: Mapping[SeriesRole, Volume]
    masks: Mapping[SeriesRole, Mapping[str, Mask]]
    mask_sources: Mapping[SeriesRole, Mapping[str, str]]
    findings: tuple[Finding, ...]


def load_pair(pair: PatientPair) -> LoadedPair:
    """Reads both volumes and every mask that belongs to them.

    A mask or a region of it that cannot be read or lies on another grid than its series becomes a finding, and the case
    goes on without.

    Raises:
        RejectedInput: A volume cannot be read, or holds no image (`check_volume`).
    """
    volumes = {role: choice.series.read() for role, choice in pair.by_role.items()}
    masks: dict[SeriesRole, dict[str, Mask]] = {role: {} for role in volumes}
    sources: dict[SeriesRole, dict[str, str]] = {role: {} for role in volumes}
    findings = [*pair.findings, *_odd_volumes(pair, volumes)]
    for role, found in pair.masks:
        try:
            own_role, regions, noted = _read_masks(found, role, pair, volumes)
            digest = sha256_of_file(found.path)
        except (RejectedInput, OSError) as error:
            findings.append(_left_out(pair, found, error))
            continue
        findings += _odd_masks(pair, found, regions, noted)
        for name, mask in regions.items():
            name = unused_name(name, masks[own_role])
            masks[own_role][name], sources[own_role][name] = mask, digest
    return LoadedPair(volumes, masks, sources, tuple(findings))


def assign_masks(
    masks: list[FoundMask], series: list[FoundSeries], chosen: Mapping[SeriesRole, FoundSeries], who: str
) -> tuple[list[tuple[SeriesRole | None, FoundMask]], list[Finding]]:
    """Masks of the chosen series with their role; None for a NIfTI mask whose name says no role."""
    assigned: list[tuple[SeriesRole | None, FoundMask]] = []
    findings: list[Finding] = []
    present = {found.dicom.series_uid for found in series if found.dicom}
    for mask in masks:
        if not mask.is_structure_set:
            assigned += [(mask.named_role, mask)] if not mask.modality else []
            continue
        roles = [role for role, found in chosen.items() if found.dicom and found.dicom.series_uid in mask.series_uids]
        assigned += [(role, mask) for role in roles]
        if not roles:
            findings.append(_foreign_mask(mask, who, is_present=bool(present & set(mask.series_uids))))
    return assigned, findings


def _foreign_mask(mask: FoundMask, who: str, *, is_present: bool) -> Finding:
    subject = f"{who}, {mask.reference}"
    if is_present:
        message = "Expected a structure set of the chosen T1 or T2, got one of another series; it is left out."
        return Finding(
            Level.INFO, "mask-of-other-series", message, "Nothing, if the choice of series is right.", subject
        )
    message = "Expected the series that the structure set was drawn on, got none; it is left out."
    return Finding(Level.WARNING, "mask-without-series", message, "Add that series to the folder.", subject)


def _read_masks(
    found: FoundMask, role: SeriesRole | None, pair: PatientPair, volumes: Mapping[SeriesRole, Volume]
) -> tuple[SeriesRole, Mapping[str, Mask], tuple[Finding, ...]]:
    """A file's regions, whose they are, and what was said of reading them.

    A NIfTI mask without a role goes to T2, or else T1, by its grid.
    """
    dicom = pair.by_role[role].series.dicom if role is not None else None
    if found.is_structure_set and role is not None and dicom is not None:
        regions = read_structure_set(found.path, dicom)
        return role, regions.masks, regions.findings
    mask = read_mask(found.path)
    roles = [role] if role is not None else [SeriesRole.T2, SeriesRole.T1]
    own = next((one for one in roles if volumes[one].grid.matches(mask.grid)), None)
    if own is None:
        expected = " or ".join(volumes[one].grid.describe() for one in roles)
        raise RejectedInput(
            "mask-grid",
            f"Expected a mask on the grid of its series ({expected}), got {mask.grid.describe()}.",
            remedy=_MASK_REMEDY,
        )
    return own, _regions_of(mask, found.region), ()


def _regions_of(mask: Mask, region: str) -> dict[str, Mask]:
    """One mask a label value; the first is the file's region, the others are named by their value."""
    names = {int(value): f"label {value}" for value in np.unique(mask.data) if value} or {1: region}
    names[min(names)] = region or TUMOUR
    return {
        name: Mask((mask.data == value).astype(np.uint8), mask.grid, {1: name})
        for value, name in names.items()
        if value in mask.data
    }


def _odd_volumes(pair: PatientPair, volumes: Mapping[SeriesRole, Volume]) -> Iterator[Finding]:
    """What a person should know of the voxels. Raises where they are no image."""
    for role, volume in volumes.items():
        subject = f"{pair.reference}, series {pair.by_role[role].series.reference}"
        for finding in refuse_errors(check_volume(volume)):
            yield replace(finding, subject=subject)


def _odd_masks(
    pair: PatientPair, found: FoundMask, regions: Mapping[str, Mask], noted: tuple[Finding, ...]
) -> Iterator[Finding]:
    """What a person should know of a file's regions: how they were read, and whether they can be one tumour."""
    subject = f"{pair.reference}, {found.reference}"
    yield from (replace(finding, subject=f"{subject}, {finding.subject}".rstrip(", ")) for finding in noted)
    if not regions and not noted:
        message = "Expected a tumour in the mask, got an empty one."
        yield Finding(Level.WARNING, "mask-empty", message, "Draw it, or leave the file out.", subject)
    if len(regions) > 1 and not found.is_structure_set:
        message = f"Expected one label in the mask, got {len(regions)}; all but the first are named by their value."
        yield Finding(Level.INFO, "mask-labels", message, "Check what the other labels mean.", subject)
    noticed = {finding.code: finding for mask in regions.values() for finding in check_mask(mask)}
    yield from (replace(finding, subject=subject) for finding in noticed.values())


def _left_out(pair: PatientPair, found: FoundMask, error: RejectedInput | OSError) -> Finding:
    subject = f"{pair.reference}, {found.reference}"
    if isinstance(error, RejectedInput):
        return Finding(Level.ERROR, error.code, f"{error.message} The mask is left out.", error.remedy, subject)
    message = f"Expected a mask that can be read, got none ({type(error).__name__}); it is left out."
    return Finding(Level.ERROR, "file-unreadable", message, "Check the file's permissions and the disk.", subject)
