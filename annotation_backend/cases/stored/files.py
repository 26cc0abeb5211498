"""Stored files of a case that are compared: series, imported masks, registered volumes, pictures, small pictures."""

from collections.abc import Iterator
from pathlib import Path

from annotation_backend.cases.models import Case, CaseImage, ImportedMask, Registration, Series, Slice
from annotation_backend.cases.stored.digests import OWN_CHECKSUMS, StoredFile
from datasets.image.intensity import STANDARD

BOARD = "registration"
"""Kind of the small picture of the first registration; that of others has the moved image's role behind it."""


def files_of(case: Case) -> Iterator[StoredFile]:
    """All files of a case."""
    for series in case.series.all():
        yield series_file(case, series)
        for mask in series.imported_masks.all():
            yield imported_mask_file(case, mask)
    yield from (image_file(image) for image in case.images.all())
    yield from (checkerboard_file(registration) for registration in case.registrations.all())
    yield from (thumbnail_file(case, kind) for kind in thumbnails(case))
    for picture in case.slices.all():
        windows = [STANDARD.name, *sorted(picture.windows)]
        yield from (found for window in windows if (found := picture_in(picture, window)) is not None)


def series_file(case: Case, series: Series) -> StoredFile:
    """The file of an imported volume."""
    return StoredFile(series.path, series.sha256, f"the {series.role.upper()} of {case.code}", case=case)


def imported_mask_file(case: Case, mask: ImportedMask) -> StoredFile:
    """A mask that came with the studies."""
    return StoredFile(mask.path, mask.sha256, f"a mask that came with {case.code}", case=case)


def image_file(image: CaseImage) -> StoredFile:
    """A volume on the case's grid."""
    what = f"the registered {image.role.upper()} of {image.case.code}"
    return StoredFile(image.path, image.sha256, what, case=image.case)


def registered_files(registration: Registration) -> tuple[StoredFile, StoredFile]:
    """The two volumes of a registration on the case's grid: the one that was moved, and the one that stayed."""
    files = {image.role: image_file(image) for image in registration.case.images.all()}
    return files[registration.role], files[registration.fixed_role]


def checkerboard_file(registration: Registration) -> StoredFile:
    """The two images of a registration in tiles."""
    case, path = registration.case, registration.checkerboard_path
    return StoredFile(path, OWN_CHECKSUMS, f"the checkerboard of {case.code}", case=case)


def thumbnails(case: Case) -> dict[str, Path]:
    """The small pictures that a case has, by kind; cases of earlier versions have none."""
    paths = {image.role: case.folder / "series" / f"{image.role}.png" for image in case.series.all()}
    for number, registration in enumerate(case.registrations.all()):
        kind = f"{BOARD}-{registration.role}" if number else BOARD
        paths[kind] = registration.checkerboard_path.with_name("thumbnail.png")
    return {kind: path for kind, path in paths.items() if _is_there(path)}


def _is_there(path: Path) -> bool:
    """Whether anything has this name; what may not be looked at is there, and is named when it is read."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def thumbnail_file(case: Case, kind: str) -> StoredFile:
    """The file of one of `thumbnails`."""
    return StoredFile(thumbnails(case)[kind], OWN_CHECKSUMS, f"a small picture of {case.code} ({kind})", case=case)


def picture_file(picture: Slice) -> StoredFile:
    """The exported picture that annotators draw on."""
    return _picture(picture, STANDARD.name, picture.path, picture.sha256)


def picture_in(picture: Slice, window: str) -> StoredFile | None:
    """An exported picture in a window; None where no such picture was exported."""
    path, digest = picture.path_in(window), picture.digest_in(window)
    return None if path is None or digest is None else _picture(picture, window, path, digest)


def _picture(picture: Slice, window: str, path: Path, digest: str) -> StoredFile:
    case = picture.case
    what = f"the picture of slice {picture.index} of {case.code} ({picture.role}, {window})"
    remedy = f"Run `manage.py export_slices --again --case {case.code}`, which draws its pictures anew."
    return StoredFile(path, digest, what, remedy, case=case)
