"""Rules for CT: which series are plain images of it, and which were reconstructed for soft tissue."""

from collections.abc import Iterator

from curation.names.description_words import DescriptionWords
from curation.series.ct_words import is_sharp
from curation.series.judgement import REFUSED, Reason
from datasets.dicom.header import SeriesEvidence
from datasets.study.protocol import ImageRole, Modality

DERIVED_UNSAID = "derived-unsaid"
"""Refusal of a series that was made of other images, as iodine maps are, and has no description: a person is asked."""


def _modality(evidence: SeriesEvidence, said: DescriptionWords, image: ImageRole) -> Iterator[Reason]:
    if evidence.modality == Modality.CT:
        yield Reason(4, "computed tomography")
    elif not evidence.modality:
        yield Reason(REFUSED, "nothing says that it is a CT", "modality-unknown")


def _kernel(evidence: SeriesEvidence, said: DescriptionWords, image: ImageRole) -> Iterator[Reason]:
    if is_sharp(evidence):
        yield Reason(-1, "reconstructed for bone or lung")
    if evidence.image_type[:1] != ("DERIVED",):
        return
    yield Reason(-1, "derived from other images")
    if not evidence.series_description.strip():
        yield Reason(REFUSED, "nothing says what was made of them: perhaps a map", DERIVED_UNSAID)


CT_RULES = (_modality, _kernel)
