"""DICOM files that Maskloop writes: their meta information, and the file itself, whole or not at all."""

from pathlib import Path

from pydicom import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from datasets.files import replaced_when_whole

IMPLEMENTATION_UID = "2.25.160396259226480402041064293811386710393"
"""Says in a file that Maskloop wrote it."""


def file_meta() -> FileMetaDataset:
    """Meta information of a file of ours: uncompressed, and the same in every version of pydicom."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "MASKLOOP"
    return meta


def write_dataset(path: Path, dataset: Dataset, *, is_one_of_many: bool = False) -> None:
    """Writes a data set that has meta information; see `replaced_when_whole`."""
    with replaced_when_whole(path, is_one_of_many=is_one_of_many) as part:
        dataset.save_as(part, enforce_file_format=True)
