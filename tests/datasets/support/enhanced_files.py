"""Enhanced MR objects for tests: as many frames as wanted, each with functional groups of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

from datasets.image.volume import Grid

_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Frame:
    """One frame: slice `k` of `grid`, its stored pixels (column, row), and what its functional groups say."""

    grid: Grid
    k: int
    pixels: NDArray[np.uint16]
    echo_time_ms: float = 80.0
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "T2", "NONE")
    component: str = "MAGNITUDE"
    temporal_position: int = 1
    stack: str = "1"
    rescale: tuple[float, float] = (1.0, 0.0)
    modifier: dict[str, Any] = field(default_factory=dict)
    contrast_given: str = ""


def stack(grid: Grid, pixels: NDArray[np.uint16], **facts: Any) -> list[Frame]:
    """A frame for each slice of `pixels` (i = column, j = row, k = slice)."""
    return [Frame(grid, k, pixels[:, :, k], **facts) for k in range(grid.shape[2])]


def write_enhanced(
    path: Path,
    frames: Sequence[Frame],
    *,
    identity: Sequence[str],
    change: Callable[[Dataset], object] = lambda dataset: None,
) -> Path:
    """Writes the frames, in their order, as one Enhanced MR object of the patient `identity[-1]`."""
    dataset = _patient(identity)
    first = frames[0]
    dataset.Columns, dataset.Rows = first.pixels.shape
    dataset.NumberOfFrames = len(frames)
    dataset.SharedFunctionalGroupsSequence = [_shared(first)]
    dataset.PerFrameFunctionalGroupsSequence = [_groups(frame) for frame in frames]
    dataset.PixelData = np.stack([frame.pixels.T for frame in frames]).astype("<u2").tobytes()
    change(dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _patient(identity: Sequence[str]) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[*identity, "enhanced"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[*identity, "enhanced series"])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[*identity, "study"])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[*identity, "frame"])
    dataset.PatientID, dataset.PatientName = identity[-1], "Canary^Nightingale"
    dataset.Modality, dataset.Manufacturer, dataset.SeriesDescription = "MR", "Maker", "t2"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "T2", "NONE"]
    dataset.PulseSequenceName, dataset.MRAcquisitionType, dataset.MagneticFieldStrength = "TSE", "2D", 3.0
    dataset.EchoPulseSequence, dataset.EchoPlanarPulseSequence = "SPIN", "NO"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    return dataset


def _shared(frame: Frame) -> Dataset:
    shared = Dataset()
    shared.PixelMeasuresSequence = [
        _item(PixelSpacing=[frame.grid.spacing[1], frame.grid.spacing[0]], SliceThickness=frame.grid.spacing[2])
    ]
    shared.MRTimingAndRelatedParametersSequence = [_item(RepetitionTime=4000.0, FlipAngle=150.0, RFEchoTrainLength=15)]
    return shared


def _groups(frame: Frame) -> Dataset:
    grid = frame.grid
    axes = grid.affine[:3, :3] * _RAS_TO_LPS[:, None] / np.array(grid.spacing)
    position = grid.to_world((0, 0, frame.k)) * _RAS_TO_LPS
    groups = Dataset()
    groups.FrameContentSequence = [
        _item(
            StackID=frame.stack,
            InStackPositionNumber=frame.k + 1,
            TemporalPositionIndex=frame.temporal_position,
            FrameAcquisitionDateTime="20200102101112",
        )
    ]
    groups.PlanePositionSequence = [_item(ImagePositionPatient=[f"{value:.8g}" for value in position])]
    groups.PlaneOrientationSequence = [
        _item(ImageOrientationPatient=[f"{value:.9f}" for value in axes[:, :2].T.ravel()])
    ]
    groups.MREchoSequence = [_item(EffectiveEchoTime=frame.echo_time_ms)]
    groups.MRImageFrameTypeSequence = [_item(FrameType=list(frame.image_type), ComplexImageComponent=frame.component)]
    groups.PixelValueTransformationSequence = [
        _item(RescaleSlope=frame.rescale[0], RescaleIntercept=frame.rescale[1], RescaleType="US")
    ]
    groups.MRModifierSequence = [_item(**frame.modifier)]
    if frame.contrast_given:
        groups.ContrastBolusUsageSequence = [_item(ContrastBolusAgentAdministered=frame.contrast_given)]
    return groups


def _item(**fields: Any) -> Dataset:
    item = Dataset()
    for keyword, value in fields.items():
        setattr(item, keyword, value)
    return item
