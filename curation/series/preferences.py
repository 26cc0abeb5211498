"""Rules by which one of two candidates of a study is plainly the better for a role."""

from collections.abc import Callable, Iterator

from curation.series.ct_words import is_sharp
from curation.series.header_physics import is_gradient_echo, is_single_shot
from curation.series.pet_rules import is_corrected
from curation.series.signs import is_contrast_enhanced, is_fat_suppressed, is_made_of_others, words_of
from datasets.dicom.header import SeriesEvidence
from datasets.study.protocol import ImageRole, Modality, Wanted, Weighting

IsBetter = Callable[[SeriesEvidence], bool]


def better_ones(image: ImageRole) -> Iterator[tuple[str, IsBetter]]:
    """What is said of the lesser of two series, and which is the better one."""
    if image.modality is Modality.MR:
        yield from _better_mr(image)
    if image.contrast is Wanted.AVOID:
        yield "contrast-enhanced beside one that is not", lambda evidence: not is_contrast_enhanced(evidence)
    if image.contrast is Wanted.PREFER:
        yield "not contrast-enhanced beside one that is", is_contrast_enhanced
    if image.modality is Modality.MR and image.weighting in (Weighting.T2, Weighting.PROTON_DENSITY, Weighting.FLAIR):
        yield "single-shot beside one that is not", lambda evidence: not _is_single_shot(evidence)
    if image.modality is not Modality.MR:
        yield "made from other images beside an original one", lambda evidence: not is_made_of_others(evidence)
    if image.modality is Modality.CT:
        yield "reconstructed for bone or lung beside one for soft tissue", lambda evidence: not is_sharp(evidence)
    if image.modality is Modality.PET:
        yield "not known to be corrected for attenuation beside one that is", lambda one: is_corrected(one) is True
        yield "without what SUV needs beside one that has it", lambda one: one.suv_factor is not None


def _better_mr(image: ImageRole) -> Iterator[tuple[str, IsBetter]]:
    if image.weighting is Weighting.T1:
        yield "a gradient echo beside a spin echo", lambda evidence: not is_gradient_echo(evidence)
    if image.fat_suppression in (Wanted.REQUIRE, Wanted.PREFER):
        yield "not fat-suppressed beside one that is", is_fat_suppressed
    if image.fat_suppression is Wanted.AVOID:
        yield "fat-suppressed beside one that is not", lambda evidence: not is_fat_suppressed(evidence)


def _is_single_shot(evidence: SeriesEvidence) -> bool:
    return is_single_shot(evidence) or words_of(evidence).single_shot
