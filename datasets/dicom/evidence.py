"""Header values of a series by which a person, or a rule, picks the right image for a role."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from datasets.dicom.sop_classes import CAPTURES

Vector = tuple[float, float, float]

OBLIQUE_LIMIT_DEGREES = 30.0
"""A slice is axial, coronal or sagittal when its normal lies within this angle of that axis: limbs are often scanned
along the bone, some 20 degrees off the table's axis, and are still read as axial."""


_LOCALIZER_WORDS = frozenset({"LOCALIZER", "SCOUT", "SURVEY", "TOPOGRAM", "SCANOGRAM"})
_REFORMAT_WORDS = frozenset(
    {"REFORMATTED", "MPR", "CSA MPR", "CPR", "RESAMPLED", "CSA RESAMPLED", "MIP", "CSA MIP", "MINIP", "MIN IP",
     "PROJECTION", "PROJECTION IMAGE", "VOLUME_RENDER", "VRT", "REPROJECTION"}
)  # fmt: skip
_CAPTURE_WORDS = frozenset({"SCREEN SAVE", "SCREENSHOT", "SCREEN_CAPTURE", "DOSE_INFO", "DOSE INFO", "DOSE REPORT"})
"""Words of the image type, the standard's and the manufacturers'."""


class Plane(StrEnum):
    """How a series' slices lie in the patient."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"
    OBLIQUE = "oblique"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SeriesEvidence:
    """Header values that tell what kind a series is. Free text is kept out of `repr`: people type names into it.

    Args:
        modality: DICOM modality: ``MR``, ``CT``, ``PT``; empty for NIfTI.
        series_description: Free text; look for words in it, never show it.
        scanning_sequence: ``SE``, ``GR``, ``IR``, ``EP``...
        sequence_variant: ``SK``, ``SP``, ``OSP``...
        scan_options: ``FS`` (fat saturation), ``PFP``...
        repetition_time_ms: TR in milliseconds, None where absent.
        echo_time_ms: TE in milliseconds, None where absent.
        inversion_time_ms: TI in milliseconds, None where absent.
        image_type: ``ORIGINAL`` or ``DERIVED``, ``PRIMARY`` or ``SECONDARY``, then the manufacturer's own words.
        contrast_agent: Free text, empty where none was given.
        plane: Of the slices.
        slice_count: Number of slices.
        spacing: Distance between columns, rows and slices in millimetres; None where it is not known.
        manufacturer: Of the scanner.
        body_part: DICOM body part examined.
        laterality: ``L``, ``R`` or ``B``; empty where the header does not say.
        mr_acquisition_type: ``2D`` or ``3D``.
        sequence_name: The scanner's own word for the sequence, such as ``*tse2d1_15``.
        protocol_name: Free text; look for words in it, never show it.
        echo_train_length: Lines acquired for each excitation; 1 for a conventional spin echo.
        echo_number: Which echo this is, from 1.
        flip_angle: In degrees.
        number_of_echoes: How many echo times share the series' UID; 1 unless it was split.
        b_value: Diffusion weighting in s/mm²; None where absent.
        acquisition_number: The scanner's count of acquisitions within the series.
        temporal_positions: How many times the same slices were taken; 1 for a series that is no time course.
        coverage_mm: From the outer face of the first slice to that of the last, had they no gaps; None where not known.
        manufacturer_model: The scanner's model.
        field_strength_t: In tesla.
        burned_in_annotation: ``YES`` or ``NO``; empty where the header does not say.
        sop_class: UID of the kind of object.
        series_number: The scanner's number of the series; None where absent.
        acquisition_time: When it was acquired (else when its series or study began); only for comparing series of one
            patient. Never to be stored or shown.
        convolution_kernel: CT: the scanner's word for the reconstruction, such as ``STANDARD``, ``B30f``, ``LUNG``.
        gantry_tilt_degrees: CT: the gantry's tilt; None where absent.
        units: Of the voxels: CT ``HU`` (or another rescale type, such as ``Z_EFF``), PET as stored in the file:
            ``BQML``, ``GML``, ``CNTS``; empty for MR and where the header does not say.
        corrected_image: PET: corrections that were made, ``ATTN`` and ``DECY`` among them.
        series_type: PET: ``STATIC``, ``WHOLE BODY``, ``DYNAMIC`` or ``GATED``, then ``IMAGE`` or ``REPROJECTION``.
        suv_factor: PET: what the rescaled values are multiplied by to become SUVbw; None where that is not known, for
            which the series has a finding.
        suv_from: PET: how the factor was found, in `datasets.dicom_pixels.suv`'s words.
        slice_thickness_mm: As the header says it; slices may lie nearer to each other or further apart.
    """

    modality: str = ""
    series_description: str = field(default="", repr=False)
    scanning_sequence: tuple[str, ...] = ()
    sequence_variant: tuple[str, ...] = ()
    scan_options: tuple[str, ...] = ()
    repetition_time_ms: float | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    image_type: tuple[str, ...] = ()
    contrast_agent: str = field(default="", repr=False)
    plane: Plane = Plane.UNKNOWN
    slice_count: int = 0
    spacing: Vector | None = None
    manufacturer: str = ""
    body_part: str = ""
    mr_acquisition_type: str = ""
    sequence_name: str = field(default="", repr=False)
    protocol_name: str = field(default="", repr=False)
    echo_train_length: int | None = None
    echo_number: int | None = None
    flip_angle: float | None = None
    number_of_echoes: int = 1
    b_value: float | None = None
    acquisition_number: int | None = None
    temporal_positions: int = 1
    coverage_mm: float | None = None
    manufacturer_model: str = field(default="", repr=False)
    field_strength_t: float | None = None
    burned_in_annotation: str = ""
    sop_class: str = ""
    series_number: int | None = None
    laterality: str = ""
    acquisition_time: datetime | None = field(default=None, repr=False)
    convolution_kernel: str = ""
    gantry_tilt_degrees: float | None = None
    units: str = ""
    corrected_image: tuple[str, ...] = ()
    series_type: tuple[str, ...] = ()
    suv_factor: float | None = None
    suv_from: str = ""
    slice_thickness_mm: float | None = None

    @property
    def is_attenuation_corrected(self) -> bool | None:
        """Whether a PET is corrected for attenuation; None where the header does not say."""
        return "ATTN" in self.corrected_image if self.corrected_image else None

    @property
    def is_localizer(self) -> bool:
        """Whether the image type says that it is a localizer or scout."""
        return bool(_LOCALIZER_WORDS & self._image_words)

    @property
    def is_reformat(self) -> bool:
        """Whether the image type says that it was cut or projected from other images."""
        return bool(_REFORMAT_WORDS & self._image_words)

    @property
    def is_capture(self) -> bool:
        """Whether it is a screen shot or a page, such as a dose report."""
        return self.sop_class.startswith(CAPTURES) or bool(_CAPTURE_WORDS & self._image_words)

    @property
    def is_gated_or_dynamic(self) -> bool:
        """Whether a PET says that it has several times, or that the same places were taken several times."""
        return bool({"DYNAMIC", "GATED"} & set(self.series_type)) or self.temporal_positions > 1

    @property
    def _image_words(self) -> set[str]:
        return {word.upper() for value in self.image_type for word in (value, *value.split("_"))}


def plane_of(normal: NDArray[np.floating]) -> Plane:
    """The plane of slices with this normal (LPS+ or RAS+, any length); UNKNOWN for a zero vector."""
    length = float(np.linalg.norm(normal))
    if length == 0.0:
        return Plane.UNKNOWN
    cosines = np.abs(normal) / length
    axis = int(np.argmax(cosines))
    if cosines[axis] < math.cos(math.radians(OBLIQUE_LIMIT_DEGREES)):
        return Plane.OBLIQUE
    return (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)[axis]
