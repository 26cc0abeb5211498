"""Writing the studies of the vendors' archive: classic and enhanced DICOM, blank pictures on real grids."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from pydicom import Dataset, FileMetaDataset
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from tests.curation.support.vendor_archive import Study
from tests.curation.support.vendor_dialects import Acquisition, Fields

SIZE = 32
_CLASSES = {"MR": MRImageStorage, "CT": CTImageStorage, "PT": PositronEmissionTomographyImageStorage}

_AXES = {
    "tra": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "cor": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sag": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}


def write_studies(folder: Path, studies: list[Study], seed: int) -> None:
    """Writes the studies as DICOM, a folder a patient, series in random order under meaningless names."""
    random = Random(seed + 1)
    for study in studies:
        scanner = random.choice(study.vendor.scanners)
        has_times = random.random() < 0.7 or study.needs_times
        names = random.sample(range(1000, 9999), len(study.acquisitions))
        tilt = np.radians(random.uniform(-15, 15)) if random.random() < 0.3 else 0.0
        for place, acquisition in enumerate(study.acquisitions):
            home = folder / study.patient_id / f"{names[place]}"
            home.mkdir(parents=True)
            base = _header(study, acquisition, place, scanner=scanner, has_times=has_times)
            is_enhanced = study.is_enhanced and (acquisition is study.t1 or acquisition is study.t2)
            writer = _write_enhanced if is_enhanced else _write_classic
            writer(home, base, acquisition, tilt=tilt if acquisition.plane == "tra" else 0.0)


def _header(
    study: Study, acquisition: Acquisition, place: int, *, scanner: tuple[str, str, float], has_times: bool
) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = "Archive^Nobody"
    dataset.PatientID = study.patient_id
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[study.patient_id, str(acquisition.visit)])
    dataset.SeriesInstanceUID = study.series_uid(acquisition)
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[study.patient_id, f"frame {acquisition.visit}"])
    dataset.Modality = "MR"
    dataset.SeriesNumber = place + 1
    dataset.StudyDate = f"2019030{acquisition.visit + 3}"
    dataset.StudyTime = "080000"
    if has_times:
        dataset.AcquisitionDate = dataset.StudyDate
        dataset.AcquisitionTime = f"08{5 * place // 60:02d}{5 * place % 60:02d}"
    dataset.Manufacturer, dataset.ManufacturerModelName, dataset.MagneticFieldStrength = scanner
    dataset.BodyPartExamined = "THIGH"
    _fill(dataset, acquisition.fields)
    return dataset


def _fill(dataset: Dataset, fields: Fields) -> None:
    for name, value in fields.items():
        if not name.startswith("_") and value is not None:
            setattr(dataset, name, value)


def _positions(acquisition: Acquisition, *, tilt: float) -> Iterator[tuple[list[float], list[float]]]:
    """Orientation and position of every slice, plane by plane."""
    planes = ("tra", "cor", "sag") if acquisition.plane == "all" else (acquisition.plane,)
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    for plane in planes:
        row, column = (turn @ np.array(axis) for axis in _AXES[plane])
        normal = np.cross(row, column)
        step = acquisition.step_mm or 60.0 / (acquisition.slices - 1)
        for k in range(acquisition.slices):
            if k == acquisition.fields.get("_lost"):
                continue
            origin = normal * (k * step - 30.0 + acquisition.fields.get("_shift", 0.0)) - (row + column) * 100.0
            yield [*np.round(row, 6), *np.round(column, 6)], np.round(origin, 4).tolist()


def _save(dataset: Dataset, path: Path, *, sop_class: str, uid: str) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = uid
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, uid
    FileDataset(path, dataset, file_meta=meta, preamble=b"\0" * 128).save_as(path, enforce_file_format=True)


def _pixels(dataset: Dataset, *, frames: int = 1) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows = dataset.Columns = SIZE
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = bytes(SIZE * SIZE * 2 * frames)


def _write_classic(home: Path, base: Dataset, acquisition: Acquisition, *, tilt: float) -> None:
    if acquisition.is_capture:
        _pixels(base)
        _save(
            base,
            home / "0",
            sop_class=SecondaryCaptureImageStorage,
            uid=generate_uid(entropy_srcs=[base.SeriesInstanceUID]),
        )
        return
    for part, fields in enumerate(acquisition.parts):
        for k, (orientation, position) in enumerate(_positions(acquisition, tilt=tilt)):
            dataset = Dataset()
            dataset.update(base)
            _fill(dataset, fields)
            dataset.ImageOrientationPatient, dataset.ImagePositionPatient = orientation, position
            dataset.PixelSpacing = [200.0 / SIZE, 200.0 / SIZE]
            dataset.InstanceNumber = part * 100 + k + 1
            _pixels(dataset)
            uid = generate_uid(entropy_srcs=[base.SeriesInstanceUID, str(part), str(k)])
            _save(dataset, home / f"{part}{k:03d}", sop_class=_CLASSES[dataset.Modality], uid=uid)


def _item(**values: Any) -> Sequence:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return Sequence([item])


def _write_enhanced(home: Path, base: Dataset, acquisition: Acquisition, *, tilt: float) -> None:
    """One multi-frame object: what is alike in all frames stands in the shared functional groups."""
    fields = acquisition.fields
    options = fields.get("ScanOptions") or []
    is_inverted = "InversionTime" in fields
    places = list(_positions(acquisition, tilt=tilt))
    for name in ("RepetitionTime", "EchoTime", "InversionTime", "ScanOptions", "ScanningSequence", "SequenceVariant",
                 "EchoTrainLength", "FlipAngle", "SequenceName", "ContrastBolusAgent"):  # fmt: skip
        if name in base:
            delattr(base, name)
    base.EchoPulseSequence = "SPIN"
    base.ImageType = ["ORIGINAL", "PRIMARY", "M" if "M" in fields["ImageType"] else "MIXED", "NONE"]
    suppressed = "FAT" if {"FS", "SFS"} & set([options] if isinstance(options, str) else options) else "NONE"
    modifier = {"InversionRecovery": "YES" if is_inverted else "NO", "SpectrallySelectedSuppression": suppressed}
    if is_inverted:
        modifier["InversionTimes"] = fields["InversionTime"]
    shared = Dataset()
    shared.MRTimingAndRelatedParametersSequence = _item(RepetitionTime=fields["RepetitionTime"], FlipAngle=90.0)
    shared.MREchoSequence = _item(EffectiveEchoTime=fields["EchoTime"])
    shared.MRModifierSequence = _item(**modifier)
    shared.PixelMeasuresSequence = _item(PixelSpacing=[200.0 / SIZE, 200.0 / SIZE], SliceThickness=4.0)
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=places[0][0])
    shared.MRImageFrameTypeSequence = _item(FrameType=base.ImageType, ComplexImageComponent="MAGNITUDE")
    base.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for k, (_, position) in enumerate(places):
        frame = Dataset()
        frame.PlanePositionSequence = _item(ImagePositionPatient=position)
        frame.FrameContentSequence = _item(InStackPositionNumber=k + 1, StackID="1")
        frames.append(frame)
    base.PerFrameFunctionalGroupsSequence = Sequence(frames)
    base.NumberOfFrames = len(frames)
    _pixels(base, frames=len(frames))
    _save(base, home / "0", sop_class=EnhancedMRImageStorage, uid=generate_uid(entropy_srcs=[base.SeriesInstanceUID]))
