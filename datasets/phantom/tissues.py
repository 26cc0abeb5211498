"""Values of tissues in images of any kind: MR of each weighting in relative signal, CT in HU, PET in SUVbw."""

from collections.abc import Mapping
from dataclasses import dataclass

from datasets.phantom.anatomy import TissueType
from datasets.study.protocol import ImageRole, Modality, Wanted, Weighting


@dataclass(frozen=True)
class Tissues:
    """What an image shows of a limb.

    Args:
        normal: Values of ``fat``, ``muscle``, ``cortex``, ``marrow`` and ``vessel``.
        tumour: Value of each tissue of origin.
        air: Value outside of the limb.
    """

    normal: Mapping[str, float]
    tumour: Mapping[TissueType, float]
    air: float = 0.0


_ORDER = (TissueType.FIBROUS, TissueType.FAT, TissueType.MYXOID, TissueType.NERVE, TissueType.VASCULAR)


def _of(fat: float, muscle: float, cortex: float, marrow: float, vessel: float, *tumour: float) -> Tissues:
    normal = {"fat": fat, "muscle": muscle, "cortex": cortex, "marrow": marrow, "vessel": vessel}
    return Tissues(normal, dict(zip(_ORDER, tumour, strict=True)))


_MR = {
    Weighting.T1: _of(0.90, 0.35, 0.06, 0.80, 0.12, 0.28, 0.84, 0.22, 0.42, 0.50),
    Weighting.T2: _of(0.75, 0.26, 0.04, 0.70, 0.75, 0.52, 0.72, 1.30, 0.85, 1.05),
    Weighting.PROTON_DENSITY: _of(0.85, 0.50, 0.06, 0.75, 0.45, 0.55, 0.80, 0.90, 0.70, 0.75),
    Weighting.T2_STAR: _of(0.45, 0.35, 0.03, 0.30, 0.60, 0.45, 0.42, 0.95, 0.70, 0.55),
    Weighting.FLAIR: _of(0.80, 0.28, 0.04, 0.72, 0.15, 0.50, 0.76, 0.60, 0.75, 0.80),
}
_CT = _of(-100.0, 55.0, 900.0, 250.0, 45.0, 60.0, -95.0, 20.0, 35.0, 70.0)
_PET = _of(0.3, 0.7, 0.6, 1.1, 1.8, 5.0, 1.5, 4.0, 6.0, 8.0)

_FAT_LEFT = 0.17
"""Share of fat's signal that fat suppression leaves."""


def tissues_of(image: ImageRole) -> Tissues:
    """What an image of a protocol shows, where its wishes are met."""
    if image.modality is Modality.CT:
        shown = Tissues(_CT.normal, _CT.tumour, air=-1000.0)
        return _enhanced(shown, vessel=160.0, added=40.0) if has_contrast(image) else shown
    if image.modality is Modality.PET:
        return _PET
    shown = _MR[image.weighting or Weighting.T1]
    if is_suppressed(image):
        fatty = {name: shown.normal[name] * _FAT_LEFT for name in ("fat", "marrow")}
        tumour = {**shown.tumour, TissueType.FAT: shown.tumour[TissueType.FAT] * _FAT_LEFT}
        shown = Tissues({**shown.normal, **fatty}, tumour)
    return _enhanced(shown, vessel=0.95, added=0.35) if has_contrast(image) else shown


def is_suppressed(image: ImageRole) -> bool:
    """Whether fat is suppressed in the phantom's image of a role."""
    return image.fat_suppression in (Wanted.REQUIRE, Wanted.PREFER)


def has_contrast(image: ImageRole) -> bool:
    """Whether a contrast agent was given before the phantom's image of a role."""
    return image.contrast in (Wanted.REQUIRE, Wanted.PREFER)


def _enhanced(shown: Tissues, *, vessel: float, added: float) -> Tissues:
    tumour = {tissue: value if tissue is TissueType.FAT else value + added for tissue, value in shown.tumour.items()}
    return Tissues({**shown.normal, "vessel": vessel}, tumour, shown.air)
