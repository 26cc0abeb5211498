"""Rules for PET: corrected for attenuation, one time, no projection."""

import re
from collections.abc import Iterator

from curation.names.description_words import DescriptionWords, plain
from curation.series.judgement import REFUSED, Reason
from datasets.dicom.header import SeriesEvidence
from datasets.study.protocol import ImageRole, Modality

NOT_CORRECTED = "not-attenuation-corrected"

_UNCORRECTED = re.compile(
    r"\b(?:nac\w*|no ?ac|non? ?(?:ac|attn|atten\w*|corr\w*)|uncorr\w*|unkorr\w*|wo ?ac|w o ac|without (?:ac|atten\w*)"
    r"|(?:ohne|sans|sin|senza|zonder) (?:ac|sk|schw\w*|corr\w*|atten\w*))\b"
)
_CORRECTED = re.compile(r"\b(?:ct ?ac|ac|mr ?ac|attn\w*|attenuation corrected|corrected|korrigiert)\b")

_KINDS = (
    ("projection", re.compile(r"\b(?:mips?|m ip|reproj\w*|projection|rotating)\b")),
    ("dynamic", re.compile(r"\b(?:dyn\w*|gated|gating|frames|4d\w*|resp\w*|cardiac)\b")),
    ("screen-capture", re.compile(
        r"\b(?:dose|patient) ?(?:report|info\w*)\b|\bscreen\w*|\bfus\w*|\bsummary\b|\breport\b")),
    ("test-object", re.compile(r"\b(?:phantom\w*|qa|qc|calib\w*|cross ?cal\w*)\b")),
    ("localizer", re.compile(r"\b(?:topo\w*|scouts?|locali\w*|lokali\w*)\b")),
    ("computed-map", re.compile(r"\b(?:\w*maps?|mu ?map|umap|statist\w*|sinogram\w*|patlak|ki)\b")),
    ("reformat", re.compile(r"\b(?:mpr\w*|reformat\w*)\b")),
)  # fmt: skip


def is_corrected(evidence: SeriesEvidence) -> bool | None:
    """Whether a PET is corrected for attenuation, by its header, else by its description; None where nothing says."""
    if evidence.is_attenuation_corrected is not None:
        return evidence.is_attenuation_corrected
    text = plain(evidence.series_description)
    if _UNCORRECTED.search(text):
        return False
    return True if _CORRECTED.search(text) else None


def pet_kinds(evidence: SeriesEvidence) -> Iterator[str]:
    """Codes of the other kinds of series that header and description name."""
    if "REPROJECTION" in evidence.series_type:
        yield "projection"
    if evidence.is_gated_or_dynamic:
        yield "dynamic"
    text = plain(evidence.series_description)
    yield from (code for code, pattern in _KINDS if pattern.search(text))


def _modality(evidence: SeriesEvidence, said: DescriptionWords, image: ImageRole) -> Iterator[Reason]:
    if evidence.modality == Modality.PET:
        yield Reason(4, "positron emission tomography")
    elif not evidence.modality:
        yield Reason(REFUSED, "nothing says that it is a PET", "modality-unknown")


def _correction(evidence: SeriesEvidence, said: DescriptionWords, image: ImageRole) -> Iterator[Reason]:
    corrected = is_corrected(evidence)
    if corrected:
        yield Reason(1, "corrected for attenuation")
    elif corrected is False:
        yield Reason(REFUSED, "not corrected for attenuation", NOT_CORRECTED)
    if evidence.image_type[:1] == ("DERIVED",):
        yield Reason(-1, "derived from other images")


PET_RULES = (_modality, _correction)
