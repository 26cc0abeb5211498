"""What kernels and descriptions say of a CT: reconstructions for bone and lung, and series that are no plain images.

Sources: the conformance statements of Siemens, GE, Philips, Canon and United Imaging for ConvolutionKernel (0018,1210);
Weiss et al., Systematic comparison of CT kernels (soft: body standards; sharp: bone and lung).
"""

import re
from collections.abc import Iterator

from curation.names.description_words import plain
from datasets.dicom.header import SeriesEvidence

_SHARPEST_SOFT = 50
"""Siemens' numbers say how sharp a kernel is: B31f and Br40 are soft, B50f, Bl57 and Hr68 for lung and bone."""

_SIEMENS = re.compile(r"[A-Z][a-z]?(\d\d)[a-z]?(?:\\?\d)?")
_CANON = re.compile(r"FC ?(\d\d)")
_SHARP_NAME = re.compile(
    r"bone ?(?:plus|\+)?|lung\w*|edge|ultra|sharp|vsharp|hd ?bone|hd ?lung|l[ab]?|y[a-e]|d|e", re.I
)
_SHARP_WORD = re.compile(r"bone|lung|sharp|edge", re.I)
_SOFT_NAME = re.compile(r"standard|stnd|std|che?st|soft\w*|b_soft\w*|body|a|b|c|[es]b|cb|i?u[abc]|smooth", re.I)
"""Names of GE, Philips (single letters) and United Imaging."""

_SHARP_TEXT = re.compile(
    r"\b(?:bones?|knochen\w*|osseux|osseuse|osseo|hueso|osso|ossa|bot|skelet\w*|lungs?|lunge\w*|poumon|pulmon\w*|polmon\w*"
    r"|long(?:venster|kernel)|parenchym\w*|hrct|sharp|high res\w*)\b"
)
"""Words of descriptions, which may also name the part of the body: they count only where the kernel is not known."""

_KINDS = (
    ("localizer", re.compile(
        r"\b(?:topo\w*|scouts?|surview\w*|scano\w*|locali\w*|lokali\w*|ubersicht\w*)\b")),
    ("screen-capture", re.compile(
        r"\b(?:dose|dosis|patient) ?(?:report|info\w*|summary|record|protocol\w*|bericht)\b|\bdosisbericht\b"
        r"|\bscreen\w*|\bkey ?images?\b|\bsummary\b|\breport\b")),
    ("test-object", re.compile(r"\b(?:phantom\w*|qa|qc|quality|calib\w*|air cal\w*)\b")),
    ("dynamic", re.compile(
        r"\b(?:perf\w*|dyn\w*|(?:pre)?monitor\w*|bolus\w*|test ?bolus|smart ?prep|sure ?start|tracker|locator"
        r"|timing|4d\w*|cine)\b")),
    ("subtraction", re.compile(r"\b(?:subs?|subtr\w*|substr\w*|soustr\w*|sustr\w*|sottr\w*)\b")),
    ("computed-map", re.compile(
        r"\b(?:iodine|iod|jod|vnc|virtual\w*|mono(?:e\w*)?|\d+ ?kev|z ?eff\w*|effective z|spectral|electron density"
        r"|calcium map|\w*maps?)\b")),
    ("projection", re.compile(r"\b(?:mips?|minip|m ip|vrt?|volume render\w*|ssd|raysum|slab)\b")),
    ("reformat", re.compile(r"\b(?:mpr\w*|reformat\w*|reform|refmt|curved|cpr)\b")),
)  # fmt: skip
"""Words that name another kind of series, by the code of its refusal. An arterial or venous phase is none of them."""


def is_sharp(evidence: SeriesEvidence) -> bool:
    """Whether a CT was reconstructed for bone or lung: by its kernel, or by the description where that is unknown."""
    by_kernel = _kernel_is_sharp(evidence.convolution_kernel)
    return bool(_SHARP_TEXT.search(plain(evidence.series_description))) if by_kernel is None else by_kernel


def ct_kinds(evidence: SeriesEvidence) -> Iterator[str]:
    """Codes of the other kinds of series that the description names."""
    text = plain(evidence.series_description)
    yield from (code for code, pattern in _KINDS if pattern.search(text))


def _kernel_is_sharp(kernel: str) -> bool | None:
    """None for a word that is not known."""
    kernel = kernel.split("\\")[0].strip("[]' ")
    if numbered := _SIEMENS.fullmatch(kernel):
        return int(numbered[1]) >= _SHARPEST_SOFT
    if numbered := _CANON.fullmatch(kernel.upper()):
        return int(numbered[1]) // 10 in (3, 5, 8)
    if _SHARP_NAME.fullmatch(kernel) or _SHARP_WORD.search(kernel):
        return True
    return False if _SOFT_NAME.fullmatch(kernel) else None
