"""The kind of a series by its header, in Maskloop's own words."""

from collections.abc import Collection

from curation.series.ct_words import is_sharp
from curation.series.exclusions import exclusions
from curation.series.header_physics import weighting
from curation.series.kind import KIND_OF_REFUSAL, SeriesKind
from curation.series.pet_rules import is_corrected
from curation.series.signs import is_contrast_enhanced, is_fat_suppressed, said_weighting, words_of
from datasets.dicom.header import SeriesEvidence
from datasets.study.protocol import Modality


def kind_of(evidence: SeriesEvidence, modalities: Collection[Modality] = (Modality.MR,)) -> SeriesKind:
    """The kind of a series.

    Args:
        evidence: Its header values.
        modalities: Those of the study's images; a series of none of them is of another modality.
    """
    said = words_of(evidence)
    own = next((one for one in modalities if one == evidence.modality), None)
    modality = own or (Modality.MR if not evidence.modality else next(iter(modalities)))
    for code in exclusions(evidence, said, modality):
        return KIND_OF_REFUSAL[code]
    if modality is Modality.CT:
        return SeriesKind.CT_SHARP if is_sharp(evidence) else SeriesKind.CT
    if modality is Modality.PET:
        return SeriesKind.PET_UNCORRECTED if is_corrected(evidence) is False else SeriesKind.PET
    weighed = weighting(evidence)
    name = weighed.weighting.value if weighed else getattr(said_weighting(evidence, said), "value", "")
    if name == "T1" and is_contrast_enhanced(evidence):
        return SeriesKind.T1_ENHANCED
    if name in ("T1", "T2", "STIR") and is_fat_suppressed(evidence):
        return SeriesKind.T1_FAT_SUPPRESSED if name == "T1" else SeriesKind.T2_FAT_SUPPRESSED
    return next((kind for kind in SeriesKind if kind.value == name), SeriesKind.UNKNOWN)
