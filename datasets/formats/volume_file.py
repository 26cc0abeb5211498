"""One file that holds one volume or mask: NIfTI, NRRD or MetaImage, read alike."""

from collections.abc import Iterator
from pathlib import Path, PurePath

from datasets.finding import Finding
from datasets.formats import itk_image, nifti
from datasets.formats.itk_image import is_itk_image
from datasets.formats.nifti import is_nifti, nifti_findings
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume

_HEADER_SUFFIXES = (".mhd", ".nhdr")
_DATA_SUFFIXES = (".raw", ".zraw", ".raw.gz", ".img", ".bin")


def is_volume_file(path: PurePath) -> bool:
    """Whether the file's name says that it holds a volume."""
    return is_nifti(Path(path)) or is_itk_image(Path(path))


def is_data_of_header(path: Path) -> bool:
    """Whether the file holds the voxels of an NRRD or MetaImage header of the same name beside it."""
    stem = next((path.name[: -len(end)] for end in _DATA_SUFFIXES if path.name.lower().endswith(end)), "")
    return bool(stem) and any(_called(path, stem, _HEADER_SUFFIXES))


def files_of(path: Path) -> tuple[Path, ...]:
    """The file, and those that hold its voxels where it is but a header."""
    return (path, *_data_files(path))


def read_grid(path: Path, *, channel: int | None = None) -> Grid:
    """The grid, from the header alone, of one channel of a 4D NIfTI; raises what the format's own reader raises."""
    return itk_image.read_grid(path) if is_itk_image(path) else nifti.read_grid(path, channel=channel)


def read_volume(path: Path, *, channel: int | None = None) -> Volume:
    """The voxels as float32, of one channel of a 4D NIfTI; raises what the format's own reader raises."""
    return itk_image.read_volume(path) if is_itk_image(path) else nifti.read_volume(path, channel=channel)


def read_mask(path: Path) -> Mask:
    """The voxels as labels; raises what the format's own reader raises."""
    return itk_image.read_mask(path) if is_itk_image(path) else nifti.read_mask(path)


def read_values(path: Path, *, channel: int | None = None) -> tuple[float, ...] | None:
    """The values that the voxels take, None where they are many; raises what the format's own reader raises."""
    return itk_image.read_values(path) if is_itk_image(path) else nifti.read_values(path, channel=channel)


def header_findings(path: Path, *, channel: int | None = None) -> tuple[Finding, ...]:
    """Warnings and information about the header of a file that can be used."""
    return nifti_findings(path, channel=channel) if is_nifti(path) else ()


def _data_files(path: Path) -> Iterator[Path]:
    if path.suffix.lower() in _HEADER_SUFFIXES:
        yield from _called(path, path.name[: -len(path.suffix)], _DATA_SUFFIXES)


def _called(path: Path, stem: str, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The files beside a path with one of the suffixes, in small letters or in capitals."""
    for suffix in dict.fromkeys(written for each in suffixes for written in (each, each.upper())):
        if (beside := path.with_name(stem + suffix)).is_file():
            yield beside
