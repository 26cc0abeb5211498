"""Folders with one bad patient each: numbered as in a fixed list of bad inputs, with the code that must name them.

The bad patient has a small T1 and T2, as DICOM or as NIfTI, that would make a pair; one thing is then spoilt.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import JPEGBaseline8Bit, generate_uid

from datasets.dicom.header import read_header
from datasets.dicom_masks.rtstruct_writing import write_rtstruct
from datasets.dicom_series.series import group_series
from datasets.formats.nifti import write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.phantom.scanner import Protocol, write_protocol
from tests.datasets.support import bad_dicom_inputs, bad_inputs
from tests.datasets.support.bad_dicom_inputs import NAMED_DICOM, REFUSED_DICOM, edit
from tests.datasets.support.bad_inputs import CANARY, NAMED_NIFTI, REFUSED_NIFTI, SOUND_NIFTI
from tests.datasets.support.enhanced_files import stack, write_enhanced

BAD_PATIENT = "CANARY-ID"
_GRID = Grid((8, 10, 12), np.diag([-0.8, -1.1, 4.0, 1.0]))
_T1 = Protocol(
    name="t1", description="AX T1", size=8, slices=12, gap_mm=4.0, sequence="SE", scan_options="",
    repetition_time_ms=550.0, echo_time_ms=12.0, number=3,
)  # fmt: skip
_T2 = replace(_T1, name="t2", description="AX T2 FS", scan_options="FS", repetition_time_ms=4000.0, echo_time_ms=80.0)
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True)
class BadFolder:
    """One way of going wrong.

    Args:
        name: Begins with the number in the list.
        code: What must be said; None where the input only looks bad and must pass without an error.
        write: Writes the patient below a folder.
        pairs: Whether the patient must still pair and load; None where it is no matter.
        patch: What else happens while the folder is read.
    """

    name: str
    code: str | None
    write: Callable[[Path], object]
    pairs: bool | None = None
    patch: Callable[[pytest.MonkeyPatch, Path], None] | None = None

    @property
    def number(self) -> int:
        """In the list of bad inputs."""
        return int(self.name.split("-")[0])


# --- NIfTI


def _sound_nifti(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names, start=1):
        volume = Volume(bad_inputs.voxels(seed).astype(np.float32), Grid(bad_inputs.SHAPE, bad_inputs.AFFINE))
        write_volume(folder / name, volume)


def _with_nifti(content: bad_inputs.Content, suffix: str, folder: Path) -> None:
    _sound_nifti(folder, "t2_fs.nii.gz")
    (folder / f"t1{suffix}").write_bytes(content())


def _with_voxels(change: Callable[[np.ndarray], object], folder: Path) -> None:
    data = bad_inputs.voxels().astype(np.float32)
    change(data)
    _with_nifti(lambda: bad_inputs.nifti(data), ".nii", folder)


def _with_mask(data: np.ndarray, affine: np.ndarray, folder: Path) -> None:
    _sound_nifti(folder, "t1.nii.gz", "t2_fs.nii.gz")
    write_volume(folder / "t2_fs_mask.nii.gz", Volume(data, Grid(data.shape, affine)))


def _labels(*values: float, shape: tuple[int, int, int] = bad_inputs.SHAPE) -> np.ndarray:
    data = np.zeros(shape, np.float32)
    for index, value in enumerate(values):
        data[3 + index, 4:6, 3:5] = value
    return data


def _moved(row: int, column: int, by: float) -> np.ndarray:
    affine = bad_inputs.AFFINE.copy()
    affine[row, column] += by
    return affine


def _at_border() -> np.ndarray:
    data = _labels(1)
    data[0, 4, 4] = 1
    return data


def _put(value: float, where: object = ...) -> Callable[[np.ndarray], None]:
    return lambda data: data.__setitem__(where, value)


def _link(target: str, folder: Path) -> None:
    _sound_nifti(folder, "t2_fs.nii.gz")
    (folder / "t1.nii.gz").symlink_to(target)


def _pipe(folder: Path) -> None:
    _sound_nifti(folder, "t2_fs.nii.gz")
    os.mkfifo(folder / "t1.nii.gz")


def _change_while_read(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Lets another program write to the T1 when its header is read and its voxels are not."""
    import datasets.formats.nifti

    path, check = folder / "t1.nii", datasets.formats.nifti.check_extensions

    def check_slowly(*arguments: object) -> object:
        if path.stat().st_size < 4000:
            path.write_bytes(path.read_bytes() + bytes(4000))
        return check(*arguments)

    patch.setattr(datasets.formats.nifti, "check_extensions", check_slowly)


_NIFTI = [
    *(BadFolder(name, code, partial(_with_nifti, content, suffix), pairs=False)
      for name, (suffix, code, content) in REFUSED_NIFTI.items()),
    *(BadFolder(name, code, partial(_with_nifti, content, ".nii")) for name, (code, content) in NAMED_NIFTI.items()),
    *(BadFolder(name, None, partial(_with_nifti, content, ".nii"), pairs=True)
      for name, content in SOUND_NIFTI.items()),
    BadFolder("19-all-zero", "volume-all-zero", partial(_with_voxels, _put(0)), pairs=False),
    BadFolder("19-all-nan", "volume-all-nan", partial(_with_voxels, _put(np.nan)), pairs=False),
    BadFolder("19-constant", "volume-constant", partial(_with_voxels, _put(7)), pairs=False),
    BadFolder("19-some-endless", "volume-not-finite", partial(_with_voxels, _put(np.inf, (0, 0, 0))), pairs=True),
    BadFolder("21-other-shape", "mask-grid", partial(_with_mask, _labels(1, shape=(12, 10, 9)), bad_inputs.AFFINE)),
    BadFolder("21-other-place", "mask-grid", partial(_with_mask, _labels(1), _moved(0, 3, 1.0))),
    BadFolder("21-other-spacing", "mask-grid", partial(_with_mask, _labels(1), _moved(2, 2, 0.1))),
    BadFolder("21-drift", None, partial(_with_mask, _labels(1), _moved(0, 3, 1e-4)), pairs=True),
    BadFolder("22-floats", "mask-not-whole", partial(_with_mask, _labels(0.5), bad_inputs.AFFINE)),
    BadFolder("22-negative", "mask-negative", partial(_with_mask, _labels(-1), bad_inputs.AFFINE)),
    BadFolder("22-too-large", "mask-too-large", partial(_with_mask, _labels(300), bad_inputs.AFFINE)),
    BadFolder("22-nan", "mask-not-finite", partial(_with_mask, _labels(np.nan), bad_inputs.AFFINE)),
    BadFolder("22-unknown-labels", "mask-values-unclear", partial(_with_mask, _labels(1, 7), bad_inputs.AFFINE)),
    BadFolder("22-empty", "mask-empty", partial(_with_mask, _labels(), bad_inputs.AFFINE)),
    BadFolder("22-at-the-border", "mask-at-border", partial(_with_mask, _at_border(), bad_inputs.AFFINE)),
    BadFolder("24-link", "file-not-regular", partial(_link, "/etc/hostname"), pairs=False),
    BadFolder("24-endless-device", "file-not-regular", partial(_link, "/dev/zero"), pairs=False),
    BadFolder("24-pipe", "file-not-regular", _pipe, pairs=False),
    BadFolder("25-changed", "file-changed", partial(_with_nifti, bad_inputs.nifti, ".nii"), pairs=False,
              patch=_change_while_read),
]  # fmt: skip


# --- DICOM


def _sound_dicom(folder: Path) -> tuple[Path, Path]:
    """The T1's and the T2's folder."""
    rng = np.random.default_rng(0)
    for protocol in (_T1, _T2):
        pixels = rng.integers(0, 4000, size=_GRID.shape).astype(np.uint16)
        home = folder / protocol.name
        write_protocol(home, protocol, pixels, _GRID, identity=["bad", BAD_PATIENT], name=CANARY)
    return folder / "t1", folder / "t2"


def _slice(folder: Path, number: int = 5) -> Path:
    return folder / "t1" / f"IM{number:04d}.dcm"


def _with_slice(spoil: Callable[[Path], object], folder: Path) -> None:
    _sound_dicom(folder)
    spoil(_slice(folder))


def _with_t1(change: Callable[[Dataset], object], folder: Path, *, numbers: range = range(1, 13)) -> None:
    _sound_dicom(folder)
    for number in numbers:
        edit(_slice(folder, number), change)


def _put_values(**values: object) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return change


def _shift(step: float, axis: int, *, only: int | None = None) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        number = int(dataset.InstanceNumber)
        if only in (None, number):
            position = list(dataset.ImagePositionPatient)
            position[axis] += step * (number if only is None else 1)
            dataset.ImagePositionPatient = position

    return change


def _second_object(folder: Path) -> None:
    _sound_dicom(folder)
    shutil.copy(_slice(folder), folder / "t1" / "copy.dcm")
    edit(folder / "t1" / "copy.dcm", lambda dataset: setattr(dataset, "PixelData", bytes(len(dataset.PixelData))))


def _without_slice(folder: Path) -> None:
    _sound_dicom(folder)
    _slice(folder).unlink()


def _repeated_slice(folder: Path) -> None:
    _sound_dicom(folder)
    shutil.copy(_slice(folder), folder / "t1" / "again.dcm")
    edit(folder / "t1" / "again.dcm", _put_values(SOPInstanceUID=generate_uid()))


def _second_slice(folder: Path) -> None:
    """Another picture at the place of one that is there."""
    _repeated_slice(folder)
    dataset = dcmread(folder / "t1" / "again.dcm")
    dataset.PixelData = dataset.PixelData[2:] + b"\1\0"
    dataset.save_as(folder / "t1" / "again.dcm")


def _capture(folder: Path) -> None:
    """A screen capture that says nothing of burned-in text, in the place of the T1."""
    change = _put_values(SOPClassUID=_SECONDARY_CAPTURE, ConversionType="WSD")
    _with_t1(change, folder)
    for number in range(1, 13):
        dataset = dcmread(_slice(folder, number))
        dataset.file_meta.MediaStorageSOPClassUID = _SECONDARY_CAPTURE
        dataset.save_as(_slice(folder, number))


def _names_everywhere(dataset: Dataset) -> None:
    block = dataset.private_block(0x0009, f"{CANARY} MAKER", create=True)
    block.add_new(0x01, "LO", CANARY)
    block.add_new(0x02, "UN", CANARY.encode() + b"\0")
    inner = Dataset()
    inner.PatientName = CANARY
    inner.TextValue = CANARY
    dataset.RequestAttributesSequence = [inner]
    dataset.PatientComments = dataset.ImageComments = CANARY
    dataset.add_new(0x60003000, "OW", CANARY.encode())
    dataset.add_new(0x60000022, "LO", CANARY)
    dataset.add_new(0x50003000, "OW", CANARY.encode())


def _names_in_paths(folder: Path) -> None:
    _with_t1(_names_everywhere, folder)
    (folder / "t1").rename(folder / CANARY)
    (folder / CANARY / "IM0001.dcm").rename(folder / CANARY / f"{CANARY}.dcm")


def _mixed_with_enhanced(folder: Path) -> None:
    """One classic and one enhanced series under a single UID."""
    _, home = _sound_dicom(folder)
    uid = dcmread(home / "IM0001.dcm").SeriesInstanceUID
    pixels = np.random.default_rng(1).integers(0, 4000, size=_GRID.shape).astype(np.uint16)
    write_enhanced(
        folder / "enhanced.dcm", stack(_GRID, pixels), identity=["bad", BAD_PATIENT],
        change=_put_values(SeriesInstanceUID=uid),
    )  # fmt: skip


def _directory(folder: Path) -> None:
    """A DICOMDIR that refers to a file outside the folder."""
    _sound_dicom(folder)
    dataset = dcmread(_slice(folder))
    record = Dataset()
    record.ReferencedFileID = ["..", "..", "etc", "passwd"]
    dataset.DirectoryRecordSequence = [record]
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    dataset.save_as(folder / "DICOMDIR")


def _regions(folder: Path, change: Callable[[Dataset], object]) -> None:
    _, home = _sound_dicom(folder)
    (series,) = group_series(read_header(path) for path in sorted(home.iterdir()))
    data = np.zeros(_GRID.shape, np.uint8)
    data[2:6, 2:7, 4:7] = 1
    write_rtstruct(folder / "regions.dcm", {"GTV": Mask(data, _GRID)}, series)
    edit(folder / "regions.dcm", change)


def _other_series(dataset: Dataset) -> None:
    study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    study.RTReferencedSeriesSequence[0].SeriesInstanceUID = generate_uid()


def _absent_series(dataset: Dataset) -> None:
    """Neither its list nor its contours name anything that is there."""
    _other_series(dataset)
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        contour.ContourImageSequence[0].ReferencedSOPInstanceUID = generate_uid()


def _contour(dataset: Dataset) -> Dataset:
    return dataset.ROIContourSequence[0].ContourSequence[0]


def _open_contour(dataset: Dataset) -> None:
    _contour(dataset).ContourGeometricType = "OPEN_PLANAR"


def _bow_tie(dataset: Dataset) -> None:
    """Two neighbouring corners change places, so that the contour crosses itself."""
    contour = _contour(dataset)
    points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    corners = [(low[0], low[1]), (high[0], high[1]), (high[0], low[1]), (low[0], high[1])]
    contour.ContourData = [float(value) for x, y in corners for value in (x, y, low[2])]
    contour.NumberOfContourPoints = len(corners)


_DICOM = [
    *(BadFolder(name, code, partial(_with_slice, spoil), pairs=False)
      for name, (code, spoil) in REFUSED_DICOM.items()),
    *(BadFolder(name, code, partial(_with_slice, spoil), pairs=None if name.startswith(("31", "32")) else True)
      for name, (code, spoil) in NAMED_DICOM.items()),
    BadFolder("23-slice-gap", "series-missing-slices", _without_slice, pairs=False),
    BadFolder("31-one-uid-twice", "dicom-uid-twice", _second_object),
    BadFolder("33-two-patients", "series-two-patients",
              partial(_with_t1, _put_values(PatientID="OTHER"), numbers=range(1, 7)), pairs=False),
    BadFolder("33-two-orientations", "series-missing-slices",
              partial(_with_t1, _put_values(ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), numbers=range(5, 8)),
              pairs=False),
    BadFolder("33-two-echoes", "series-incomplete",
              partial(_with_t1, _put_values(EchoTime=99.0), numbers=range(5, 8)), pairs=False),
    BadFolder("34-missing", "series-missing-slices", _without_slice, pairs=False),
    BadFolder("34-duplicate", "series-duplicate-slices", _second_slice, pairs=False),
    BadFolder("34-sent-twice", "series-slices-twice", _repeated_slice),
    BadFolder("34-uneven", "series-uneven-slices", partial(_with_t1, _shift(1.3, 2, only=5)), pairs=False),
    BadFolder("34-gantry-tilt", "series-tilted", partial(_with_t1, _shift(0.7, 1)), pairs=False),
    BadFolder("36-nothing-behind-the-markers", "dicom-pixels-unreadable",
              partial(_with_slice, lambda path: bad_dicom_inputs.set_encapsulated(
                  path, JPEGBaseline8Bit, bad_dicom_inputs.encapsulated([bad_dicom_inputs.JPEG]))), pairs=False),
    BadFolder("37-burned-in", "burned-in-annotation", partial(_with_t1, _put_values(BurnedInAnnotation="YES")),
              pairs=False),
    BadFolder("37-capture-that-does-not-say", "screen-capture", _capture, pairs=False),
    BadFolder("38-names-everywhere", None, partial(_with_t1, _names_everywhere), pairs=True),
    BadFolder("38-names-in-paths", None, _names_in_paths, pairs=True),
    BadFolder("39-escape-sequences", "dicom-character-set",
              partial(_with_slice, lambda path: bad_dicom_inputs.insert(
                  path, bad_dicom_inputs.explicit(0x0008, 0x0080, b"LO", b"\x1b$)C\x1b$B!!")))),
    BadFolder("40-leap-day", None, partial(_with_t1, _put_values(StudyDate="20240229", AcquisitionDate="20230229")),
              pairs=True),
    BadFolder("40-age", None, partial(_with_t1, _put_values(PatientAge="120Y", PatientBirthDate="19000229")),
              pairs=True),
    BadFolder("41-classic-and-enhanced", "series-twice", _mixed_with_enhanced),
    BadFolder("42-directory", None, _directory, pairs=True),
    BadFolder("43-absent-series", "mask-without-series", partial(_regions, change=_absent_series), pairs=True),
    BadFolder("43-other-list", None, partial(_regions, change=_other_series), pairs=True),
    BadFolder("43-open-contour", "contour-open",
              partial(_regions, change=_open_contour),
              pairs=True),
    BadFolder("43-crossing-contour", "contour-self-crossing", partial(_regions, change=_bow_tie), pairs=True),
]  # fmt: skip

BAD_FOLDERS = sorted([*_NIFTI, *_DICOM], key=lambda folder: (folder.number, folder.name))
BOMBS = [
    folder
    for folder in BAD_FOLDERS
    if folder.number in (2, 3, 4, 28, 29) or folder.name.startswith(("16-far", "35-rows", "35-other", "36-nothing"))
]
