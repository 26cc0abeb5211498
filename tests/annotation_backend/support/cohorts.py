"""Small cohorts of phantom patients for the tests of ingest, and faults in them."""

import shutil
from pathlib import Path

import pydicom
from pydicom.uid import generate_uid

from datasets.phantom.cohort import write_phantom_cohort

T2_DESCRIPTION = "AX T2 TSE FS"
SIZE = 48


def write_small_cohort(folder: Path, *, patients: int, seed: int = 0) -> Path:
    """Phantom patients of few pixels."""
    write_phantom_cohort(folder, patients=patients, seed=seed, size=SIZE)
    return folder


def series_folder(cohort: Path, patient: int, series: str) -> Path:
    """``3_t1``, ``4_t2`` or another series' folder of the patient at a position from 1."""
    return cohort / f"patient_{patient:04d}" / "study" / series


def remove_t2(cohort: Path, patient: int) -> None:
    """The patient comes without a T2."""
    shutil.rmtree(series_folder(cohort, patient, "4_t2"))


def add_second_t2(cohort: Path, patient: int) -> Path:
    """The patient comes with a second T2, as good as the first: a person has to choose."""
    other = series_folder(cohort, patient, "5_t2")
    for number, path in enumerate(sorted(series_folder(cohort, patient, "4_t2").glob("*.dcm"))):
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[dataset.SeriesInstanceUID, "again"])
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[dataset.SeriesInstanceUID, str(number)])
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.SeriesNumber = 5
        other.mkdir(exist_ok=True)
        dataset.save_as(other / path.name)
    return other


def break_pixels(cohort: Path, patient: int) -> None:
    """The patient's T2 has headers that promise more pixels than there are."""
    for path in series_folder(cohort, patient, "4_t2").glob("*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2]
        dataset.save_as(path)
