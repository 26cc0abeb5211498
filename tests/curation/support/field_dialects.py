"""How the scanners of five vendors write the series of a CT and of a PET-CT, as hospitals send them.

Written from the vendors' DICOM conformance statements and headers of public data sets, before the rules were tried on
them: kernels, image types, descriptions in five languages.
"""

from dataclasses import dataclass, replace
from random import Random

from pydicom import Dataset

from tests.curation.support.vendor_dialects import PLANES, Acquisition, Fields


@dataclass(frozen=True)
class CtVendor:
    """One vendor's words.

    Args:
        name: As the header writes it.
        model: Of the scanner.
        soft: Kernels for soft tissue.
        lung: Kernels for the lung.
        bone: Kernels for bone.
        scout: Image type of a scout.
        reformat: Image type of a reformat.
    """

    name: str
    model: str
    soft: tuple[str, ...]
    lung: tuple[str, ...]
    bone: tuple[str, ...]
    scout: tuple[str, ...]
    reformat: tuple[str, ...]


VENDORS = (
    CtVendor("SIEMENS", "Biograph64", ("B30f", "B31f", "B40f", "I31f", "Br40f"), ("B60f", "B70f", "Bl57f", "I70f"),
             ("B60s", "B70s", "Br60f", "Hr68f"), ("ORIGINAL", "PRIMARY", "LOCALIZER", "CT_SOM5 TOP"),
             ("DERIVED", "SECONDARY", "MPR", "CSA MPR")),
    CtVendor("GE MEDICAL SYSTEMS", "Discovery 690", ("STANDARD", "SOFT"), ("LUNG",), ("BONE", "BONEPLUS"),
             ("ORIGINAL", "PRIMARY", "LOCALIZER"), ("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE")),
    CtVendor("Philips", "GEMINI TF", ("B", "C", "A"), ("L", "YA"), ("D", "E", "YC"),
             ("ORIGINAL", "PRIMARY", "LOCALIZER"), ("DERIVED", "SECONDARY", "REFORMATTED")),
    CtVendor("TOSHIBA", "Aquilion", ("FC08", "FC13", "FC18"), ("FC50", "FC52", "FC86"), ("FC30", "FC35"),
             ("ORIGINAL", "PRIMARY", "LOCALIZER"), ("DERIVED", "SECONDARY", "MPR")),
    CtVendor("UIH", "uMI 780", ("B_SOFT_B", "B_SOFT_C"), ("B_SHARP_C", "B_VSHARP_D"), ("B_SHARP_D", "BONE_C"),
             ("ORIGINAL", "PRIMARY", "LOCALIZER"), ("DERIVED", "SECONDARY", "REFORMATTED")),
)  # fmt: skip

_SAID = {
    "soft": (
        "Thorax/Abdomen 5.0 {k}",
        "ABD/PEL W/O",
        "Becken nativ",
        "Body 3.0",
        "CT OHNE KM",
        "AX SOFT",
        "Abdomen {p}",
    ),
    "soft_gd": ("Abd/Pel venous 3.0", "THORAX mit KM", "CAP portal venous", "Abdomen C+", "CT mit KM venoes"),
    "lung": ("Lung 1.0 {k}", "LUNG", "Thorax Lunge 1.5", "POUMON", "Parenchym", "Pulmon 1.0"),
    "bone": ("Bone 2.0", "KNOCHEN", "OSSEUX", "Bone 1.0 {k}", "HUESO"),
    "scout": ("Topogram  0.6  T20f", "Scout", "SURVIEW", "Scanogram", "localizer", "Topogramm"),
    "report": ("Dose Report", "Patient Protocol", "Dosisbericht", "Dose Info", "Screen Save"),
    "reformat": ("MPR {p}", "{p} REFORMATS", "Coronal 3.0", "COR", "SAG 2.0 Abd", "{p} SOFT"),
    "mip": ("MIP 10.0", "AX MIP", "THIN MIP"),
    "vrt": ("VRT", "3D", "Volume Rendering"),
    "monitoring": ("PreMonitoring", "Monitoring", "SmartPrep Series", "Bolus tracking", "Locator"),
    "iodine": ("Iodine map", "IODINE(WATER)", "VNC", "MonoE 40 keV", "Virtual non contrast"),
    "perfusion": ("Perfusion", "DynMulti4D", "CT Perfusion 4D"),
    "ac": ("CT WB 3.0 {k}", "CTAC 3.75", "AC CT WB", "CT low dose", "CT NATIV AC"),
}
_PET_SAID = {
    "pet": ("PET WB", "PET AC", "WB_3D_AC", "PET Corrected WB", "FDG GK AC", "PET TrueX", "[WB_CTAC] Body"),
    "nac": ("PET NAC", "WB NAC", "PET uncorrected", "NAC Body", "PET WB Non AC", "PET ohne SK"),
    "gated": ("PET gated 8 bins", "Resp gated PET", "PET 4D"),
    "dynamic": ("PET dynamic", "Dynamic 20 frames"),
    "mip": ("PET MIP", "MIP AC", "Reprojection"),
    "fused": ("Fused PET/CT", "FUSION"),
    "statistics": ("Statistics", "PET Summary report"),
}


class CtRoom:
    """Draws series of one vendor."""

    def __init__(self, random: Random, vendor: CtVendor) -> None:
        self.random = random
        self.vendor = vendor
        self.are_described = random.random() > 0.15

    def ct(self, kind: str, plane: str = "tra", said: str = "", **changes: object) -> Acquisition:
        """A CT series of a kind: ``soft``, ``lung``, ``scout``..."""
        kernels = {"lung": self.vendor.lung, "bone": self.vendor.bone}.get(kind, self.vendor.soft)
        kernel = self.random.choice(kernels)
        fields: Fields = {
            "Modality": "CT", "KVP": 120.0, "ConvolutionKernel": kernel,
            "RescaleType": self.random.choice(("HU", None)), "RescaleSlope": 1, "RescaleIntercept": -1024,
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "BodyPartExamined": "ABDOMEN",
            "SeriesDescription": self._say(_SAID[said or kind], plane, kernel),
        }  # fmt: skip
        if kind == "scout":
            fields["ImageType"] = list(self.vendor.scout)
        if kind in ("reformat",):
            fields["ImageType"] = list(self.vendor.reformat)
        if kind == "mip":
            fields["ImageType"] = ["DERIVED", "SECONDARY", "MIP"]
        if kind == "iodine":
            fields |= {"ImageType": ["DERIVED", "PRIMARY", "AXIAL"], "RescaleType": self.random.choice(("HU", "MGML"))}
        if kind in ("soft_gd",) and self.random.random() < 0.5:
            fields["ContrastBolusAgent"] = self.random.choice(("Ultravist", "APPLIED", "Iomeron 100 ml"))
        if kind in ("report", "vrt"):
            image_type = ["DERIVED", "SECONDARY", self.random.choice(("SCREEN SAVE", "OTHER", "VRT"))]
            return Acquisition(kind, fields | {"ImageType": image_type}, slices=1, is_capture=True)
        slices = 1 if kind in ("scout", "monitoring") else self.random.randint(12, 16)
        made = Acquisition(kind, fields, plane="cor" if kind == "scout" else plane, slices=slices, step_mm=5.0)
        return replace(made, **changes)  # type: ignore[arg-type]

    def pet(self, kind: str = "pet", **changes: object) -> Acquisition:
        """A PET series of a kind: ``pet``, ``nac``, ``mip``..."""
        corrections = ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"]
        if kind == "nac":
            corrections = ["DECY", "DTIM", "RAN", "NORM"]
        fields: Fields = {
            "Modality": "PT", "CorrectedImage": corrections, "SeriesType": ["WHOLE BODY", "IMAGE"], "Units": "BQML",
            "ImageType": ["ORIGINAL", "PRIMARY"], "BodyPartExamined": "WHOLEBODY", "DecayCorrection": "START",
            "SeriesDescription": self._say(_PET_SAID[kind], "tra", ""),
        }  # fmt: skip
        fields |= _for_suv(f"2019030{int(str(changes.get('visit', 1))) + 3}")
        if self.random.random() < 0.15 and kind in ("pet", "nac"):
            fields["SeriesDescription"] = self.random.choice(("PET NAC", "NAC")) if kind == "nac" else "PET AC"
            fields |= {"CorrectedImage": None, "Units": "GML"}  # in SUV already, by a program that drops fields
        if kind == "gated":
            fields["SeriesType"] = ["GATED", "IMAGE"]
        if kind == "dynamic":
            fields["SeriesType"] = ["DYNAMIC", "IMAGE"]
        if kind == "mip":
            fields |= {"ImageType": ["DERIVED", "SECONDARY", "MIP"], "SeriesType": ["WHOLE BODY", "REPROJECTION"]}
        if kind in ("fused", "statistics"):
            fields["ImageType"] = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
            return Acquisition(kind, fields, slices=1, is_capture=True)
        plane = "cor" if kind == "mip" else "tra"
        made = Acquisition(kind, fields, plane=plane, slices=self.random.randint(12, 16), step_mm=5.0)
        return replace(made, **changes)  # type: ignore[arg-type]

    def _say(self, texts: tuple[str, ...], plane: str, kernel: str) -> str:
        if not self.are_described:
            return ""
        return self.random.choice(texts).format(p=self.random.choice(PLANES.get(plane, ("",))), k=kernel)


def _for_suv(day: str) -> Fields:
    """What SUV is computed from."""
    isotope = Dataset()
    isotope.RadionuclideTotalDose, isotope.RadionuclideHalfLife = 300e6, 6586.2
    isotope.RadiopharmaceuticalStartTime = "070000"
    return {
        "RescaleSlope": 1.5, "RescaleIntercept": 0, "PatientWeight": 70.0, "SeriesDate": day, "SeriesTime": "080000",
        "AcquisitionDate": day, "AcquisitionTime": "080500", "RadiopharmaceuticalInformationSequence": [isotope],
    }  # fmt: skip
