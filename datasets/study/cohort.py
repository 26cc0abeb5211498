"""Cohort: cases as files in a folder, images and masks paired by the text that the stars of their globs match.

``ct=*/CT_image.nii.gz``, ``pet=*/PET_image.nii.gz`` and the mask ``*/CT_mask.nii.gz`` make one case of every subfolder
that holds all three. A case is named by the text that the stars match, so folders should be called by codes, not by
people.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np

from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes
from datasets.finding import Finding, Level
from datasets.formats.nifti import read_grid, read_volume
from datasets.gate import DEFAULT_BUDGET, Budget, refuse_errors
from datasets.image.content_checks import check_volume
from datasets.image.digest import content_sha256
from datasets.image.lattice import grid_findings, is_box_of, mask_on, volume_on
from datasets.image.mask import Mask, as_mask
from datasets.image.resample import resample_volume
from datasets.image.volume import Grid, Volume

_ONLY_CASE = "case"
"""Name of the one case of globs without a star."""

_STAR = re.compile(r"(\*\*/|\*\*|\*|\?|\[[^\]/]+\])")
_MASK = "mask"


@dataclass(frozen=True)
class CohortCase:
    """The files of one case of a cohort.

    Args:
        case: Text that the stars match, joined by underscores.
        images: File of each channel: ``t1``, ``t2``, ``ct`` or ``pet``.
        mask: File of the mask.
        values: Values of the mask that are the tumour (`datasets.study.cohort_values`); () where none were given, and
            the mask must then hold a single one.
    """

    case: str
    images: Mapping[str, Path] = field(repr=False)
    mask: Path = field(repr=False)
    values: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cohort:
    """The cases found in a folder.

    Args:
        cases: In the order of their names.
        findings: Cases left out for a missing file; values of the masks that are not the tumour.
    """

    cases: tuple[CohortCase, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, eq=False)
class LoadedCase:
    """A case's images and mask, all on one grid; the mask is not empty.

    Args:
        case: As in `CohortCase`.
        volumes: Image of each channel.
        mask: The tumour as value 1, whatever its value in the file.
    """

    case: str
    volumes: Mapping[str, Volume]
    mask: Mask

    @property
    def cache_key(self) -> str:
        """Tells the images from others by their content: another cohort may use the same names."""
        return "".join(content_sha256(volume)[:16] for volume in self.volumes.values())

    @property
    def number(self) -> int:
        """A number made of the name, as a seed: a case's random choices do not depend on the cohort's other cases."""
        return int(sha256_of_bytes(self.case.encode())[:16], 16)


def read_cohort(folder: Path, image_globs: Mapping[str, str], mask_glob: str) -> Cohort:
    """Finds the cases below a folder; only headers are read. Hidden files and folders are ignored.

    Args:
        folder: Where the files lie.
        image_globs: Glob of each channel's images, relative to the folder; ``*``, ``?`` and ``[...]`` stand for parts
            of a name, ``**`` for folders in any number.
        mask_glob: Glob of the masks, with as many stars that tell cases apart.

    Raises:
        RejectedInput: ``cohort-no-folder``, ``cohort-no-images`` (no channel), ``cohort-glob`` (one leaves the folder
            or is none), ``cohort-nothing-matches``, ``cohort-same-case`` (two files of one channel give one case) or
            ``cohort-no-pairs``.
    """
    if not folder.is_dir():
        raise RejectedInput("cohort-no-folder", "There is no such folder.", remedy="Check the path.")
    if not image_globs or not all(channel and channel != _MASK for channel in image_globs):
        raise RejectedInput("cohort-no-images", "No glob of an image was given.", remedy='Say e.g. t1="*/T1.nii.gz".')
    files = {channel: _files_by_case(folder, glob, channel) for channel, glob in image_globs.items()}
    masks = _files_by_case(folder, mask_glob, _MASK)
    names = sorted(masks.keys() | {case for found in files.values() for case in found})
    found = {**files, _MASK: masks}
    lacking = {case: [channel for channel in found if case not in found[channel]] for case in names}
    whole = [case for case in names if not lacking[case]]
    if not whole:
        _refuse_no_pairs({channel: len(matched) for channel, matched in found.items()})
    cases = tuple(CohortCase(case, {channel: files[channel][case] for channel in files}, masks[case]) for case in whole)
    left_out = [_left_out(case, missing) for case, missing in lacking.items() if missing]
    return Cohort(cases, (*left_out, *(finding for case in cases for finding in _apart(case))))


def load(case: CohortCase, *, resample: bool = False, budget: Budget = DEFAULT_BUDGET) -> LoadedCase:
    """Reads a case's NIfTI files.

    Args:
        case: From `read_cohort`.
        resample: Bring images that lie on other points than the mask (a PET beside its CT) onto its grid, linearly,
            with their smallest value beyond their border; otherwise they are refused. The mask is never resampled.
        budget: What reading one file may cost.

    Raises:
        RejectedInput: A file cannot be read, an image holds no picture, the mask holds no labels, not the
            tumour's value (``cohort-empty-mask``), all corners (``cohort-mask-background``), or several values without
            a choice of the tumour's (``cohort-mask-values``).
        GeometryError: An image lies on other points than the mask, which may be counted in any order and be a box of
            the image's.
    """
    mask = _meant(as_mask(read_volume(case.mask, budget=budget)), case.values)
    volumes = {}
    for channel, path in case.images.items():
        volume = read_volume(path, budget=budget)
        refuse_errors(check_volume(volume))
        volumes[channel] = volume
    mask = _on_an_image(mask, volumes)
    on_one_grid = {
        channel: _on_grid(volume, mask.grid, channel, resample=resample) for channel, volume in volumes.items()
    }
    _require_background(mask)
    return LoadedCase(case.case, on_one_grid, mask)


def _on_an_image(mask: Mask, volumes: Mapping[str, Volume]) -> Mask:
    """The mask on the grid of the first image that has its points; as it is where none has."""
    for volume in volumes.values():
        if is_box_of(volume.grid, mask.grid):
            return mask_on(mask, volume.grid, what="The mask")[0]
    return mask


def _meant(mask: Mask, values: tuple[int, ...]) -> Mask:
    """The tumour's values of a mask as value 1."""
    found = [int(value) for value in np.unique(mask.data) if value]
    if len(found) > 1 and not values:
        raise RejectedInput(
            "cohort-mask-values",
            f"The mask has the values {found}, and nothing says which is the tumour.",
            remedy="Say which is the tumour with --mask-value.",
        )
    meant = np.isin(mask.data, values or found).astype(np.uint8)
    if not meant.any():
        why = f"it has the values {found}, not {list(values)}" if found else "it is empty"
        raise RejectedInput(
            "cohort-empty-mask",
            f"There is no tumour in the mask: {why}.",
            remedy="Draw it, or leave the case out.",
        )
    return Mask(meant, mask.grid)


def _require_background(mask: Mask) -> None:
    """Refuses a mask that holds all corners of the image, as the background does and no tumour."""
    if mask.holds_corners:
        raise RejectedInput(
            "cohort-mask-background",
            "The mask holds all corners of its image, as the background does.",
            remedy="Save the mask with 0 as background, or say which value is the tumour with --mask-value.",
        )


def _on_grid(volume: Volume, grid: Grid, channel: str, *, resample: bool) -> Volume:
    """The image on the mask's grid: its own points in the mask's order, or resampled if requested."""
    if resample and not is_box_of(volume.grid, grid):
        return resample_volume(volume, grid, outside=float(np.nanmin(volume.data)))
    return volume_on(volume, grid, what=f"A case's {channel} image beside its mask")[0]


def _files_by_case(folder: Path, glob: str, channel: str) -> dict[str, Path]:
    """Files that a glob matches, by the case that its stars give."""
    _require_inside(glob, channel)
    try:
        pattern = _as_pattern(glob)
    except re.error as error:  # brackets with nothing in them, or a range that runs backwards
        raise _no_glob(channel) from error
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(glob)):
        relative = path.relative_to(folder)
        matched = pattern.fullmatch(relative.as_posix())
        if matched is None or not path.is_file() or any(part.startswith(".") for part in relative.parts):
            continue
        case = "_".join(part.strip("/").replace("/", "_") for part in matched.groups() if part) or _ONLY_CASE
        if case in found:
            raise RejectedInput(
                "cohort-same-case",
                f"The stars of two {channel} files give the same case.",
                remedy="Write a glob that matches one file of each case only.",
            )
        found[case] = path
    if not found:
        raise RejectedInput(
            "cohort-nothing-matches",
            f"No file matches the glob of {channel}.",
            remedy="Write it relative to the cohort's folder, in quotes so that the shell leaves its stars alone.",
        )
    return found


def _require_inside(glob: str, channel: str) -> None:
    """The glob stays in the folder, and stars in pairs stand alone between slashes, as `Path.glob` wants it."""
    parts = PurePosixPath(glob).parts
    paired = [part for part in parts if "**" in part and part != "**"]
    if not parts or glob.startswith("/") or ".." in parts or paired or glob.endswith("**") or "\0" in glob:
        raise _no_glob(channel)


def _no_glob(channel: str) -> RejectedInput:
    return RejectedInput(
        "cohort-glob",
        f"The glob of {channel} leaves the cohort's folder or names no file.",
        remedy='Write it relative to the folder, without "..", and ** alone between slashes.',
    )


def _as_pattern(glob: str) -> "re.Pattern[str]":
    """The glob as a regular expression with a group for each star."""
    # Written anew without doubled slashes and "./", which Path.glob passes over too.
    pieces = _STAR.split(PurePosixPath(glob).as_posix())
    return re.compile("".join(_as_group(piece) if _STAR.fullmatch(piece) else re.escape(piece) for piece in pieces))


def _as_group(star: str) -> str:
    if star == "**/":
        return "((?:[^/]+/)*)"
    if star.startswith("["):
        return (
            f"([{'^' if star[1] == '!' else ''}{re.escape(star[1:-1].removeprefix('!')).replace(chr(92) + '-', '-')}])"
        )
    return "([^/]*)" if star == "*" else "([^/])"


def _apart(case: CohortCase) -> tuple[Finding, ...]:
    """Findings about a mask whose points are not quite, or not all, its image's; none where `load` refuses it."""
    for path in case.images.values():
        with suppress(RejectedInput, OSError):
            found = grid_findings(read_grid(path), read_grid(case.mask), what="The mask beside its image")
            return tuple(replace(finding, subject=case.case) for finding in found)
    return ()


def _left_out(case: str, missing: list[str]) -> Finding:
    return Finding(
        Level.ERROR,
        "cohort-no-mask" if missing == [_MASK] else "cohort-no-image",
        f"The case has no {' and no '.join(missing)}.",
        "Add the file, or ignore this if the case is not meant.",
        subject=case,
    )


def _refuse_no_pairs(counts: Mapping[str, int]) -> None:
    listed = ", ".join(f"{count} of {channel}" for channel, count in counts.items())
    raise RejectedInput(
        "cohort-no-pairs",
        f"The globs have no case in common: they match {listed}, whose stars stand for different names.",
        remedy="Put the stars where the case's name is, the same number of times in each glob.",
    )
