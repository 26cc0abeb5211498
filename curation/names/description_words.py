"""Reads weighting, fat suppression, contrast agent and kind of series from a series description.

Descriptions are typed by people, in the language of the hospital, so they weigh least of all evidence. English, German,
French, Spanish, Italian, Portuguese and Dutch words are known, and the vendors' names of their techniques. Only
these facts are ever taken out of a description: none of it is quoted, as people type names into it.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum


class TextWeighting(StrEnum):
    """The weightings that a description may name."""

    T1 = "T1"
    T2 = "T2"
    STIR = "STIR"
    PROTON_DENSITY = "proton density"
    T2_STAR = "T2*"
    FLAIR = "FLAIR"


@dataclass(frozen=True)
class DescriptionWords:
    """The facts in a description.

    Args:
        weighting: The one weighting it names; None where it names none, or several.
        fat_suppressed: It says that fat is suppressed.
        not_fat_suppressed: It says that fat is not suppressed.
        contrast: It says that a contrast agent was given, and not that none was.
        kinds: Other kinds of series that it names, by the code of the refusal: ``localizer``, ``diffusion``...
        single_shot: It names a single-shot technique.
    """

    weighting: TextWeighting | None
    fat_suppressed: bool
    not_fat_suppressed: bool
    contrast: bool
    kinds: frozenset[str]
    single_shot: bool


def read_words(description: str) -> DescriptionWords:
    """Reads one description."""
    text = plain(_with_minus(_UNLIKE_A_TECHNIQUE.sub(" ", description)))
    return DescriptionWords(
        weighting=_weighting(text),
        fat_suppressed=bool(_FAT_SUPPRESSED.search(_NOT_FAT_SUPPRESSED.sub(" ", text)) or _dixon_part(text) == "water"),
        not_fat_suppressed=bool(_NOT_FAT_SUPPRESSED.search(text)),
        contrast=bool(_CONTRAST.search(_NO_CONTRAST.sub(" ", text)) or _CONTRAST_ELSEWHERE.search(description.lower())),
        kinds=frozenset(_kinds(text))
        | ({"in-or-opposed-phase"} if _PHASE_SUFFIX.search(description.lower()) else set()),
        single_shot=bool(_SINGLE_SHOT.search(text)),
    )


def plain(text: str) -> str:
    """Lower case without accents, every sign but ``+`` and ``*`` a space."""
    unaccented = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return " ".join(re.sub(r"[^a-z0-9+*]+", " ", unaccented.lower()).split())


def _with_minus(description: str) -> str:
    """A minus at fat suppression in words, before `plain` takes the signs away."""
    return re.sub(r"(?<!\S)-(fs|fat ?sat)\b|\b(fs|fat ?sat)-(?!\S)", " no fs ", description, flags=re.IGNORECASE)


def _weighting(text: str) -> TextWeighting | None:
    """The weighting named; STIR goes with T2, and a FLAIR of T1 is a T1."""
    named = {weighting for weighting, pattern in _WEIGHTINGS if pattern.search(text)}
    if TextWeighting.T2_STAR in named:
        named.discard(TextWeighting.T2)
    if named & {TextWeighting.T1, TextWeighting.T2}:
        named.discard(TextWeighting.FLAIR if TextWeighting.T1 in named else TextWeighting.STIR)
    if named == {TextWeighting.T2, TextWeighting.FLAIR}:
        named = {TextWeighting.FLAIR}
    return named.pop() if len(named) == 1 else None


def _kinds(text: str) -> list[str]:
    part = _dixon_part(text)
    named = [code for code, pattern in _KINDS if pattern.search(text)]
    return named + ([part] if part in ("fat-image", "in-or-opposed-phase") else [])


def _dixon_part(text: str) -> str:
    """Which of the images of a Dixon measurement a description names; empty where it names none."""
    for part, pattern in _DIXON_PARTS:
        if pattern.search(text):
            return part
    last = set(text.split()[-_SUFFIX_WORDS:]) if _DIXON.search(text) else set()
    return next((part for part, words in _DIXON_SUFFIXES if last & words), "")


def _any_of(words: str) -> re.Pattern[str]:
    """Matches any of the blank-separated words, whole; ``~`` stands for a blank that may be missing, ``_`` for one."""
    alternatives = "|".join(words.split()).replace("~", " ?").replace("_", " ")
    return re.compile(rf"\b(?:{alternatives})\b")


_PREFIX = r"\b(?:[esw]|fs|w?tse|fse|se|ir|ax|tra)?"
"""Prefixes of T1 without a space: ``sT1W``, ``fsT2``, ``seT1``."""

_WEIGHTINGS = (
    (TextWeighting.T1, re.compile(_PREFIX + r"t1(?!\d)(?! ?rho)")),
    (TextWeighting.T2, re.compile(_PREFIX + r"t2(?!\d)")),
    (TextWeighting.T2_STAR, re.compile(_PREFIX + r"t2 ?(?:\*|star|ffe|gre\b|ge\b|hemo)|\b(?:swi|swan|me?dic|merge)\b")),
    (TextWeighting.STIR, re.compile(r"\b[a-z]{0,5}(?:stir|tirm)\b")),
    (TextWeighting.PROTON_DENSITY, re.compile(r"\b[es]?(?:pd|dp)(?:w|fs|fse|tse|spair|spir)?\b|\bproton|\bdensi")),
    (TextWeighting.FLAIR, re.compile(r"\b[a-z0-9]{0,3}flair\b")),
)

_FAT = r"(?:fat|fett|graisse|grasa|grasso|gordura|vet)"
_SATURATED = r"(?:sat|sup|unter|onder|ges|zer)"
_SUPPRESSION = r"(?:sat|sup|soppr|anul)\w* (?:de |da |la |del )*"
_FAT_SUPPRESSED = re.compile(
    rf"\b(?:{_FAT} ?{_SATURATED}\w*|{_SUPPRESSION}{_FAT})\b"
    r"|\b(?:fs|f sat|a?sp[ai]+r|f?stir|tirm|chess|water|wasser|eau|agua|wats|proset|we|h sinc|pasta|msoft)\b"
    r"|\bt[12][a-z]*(?:fs|stir|sp[ai]+r|fatsat)\b|\bfst[12]"
)
_NEGATION = (
    r"(?:no|non|not|without|w o|wo|w out|ohne|nicht|kein\w*|sans|sin|senza|sem|zonder|niet|utan|uden|uten|bez|minus|un)"
)
_SUPPRESSOR = r"(?:fs|f s|f sat|sat\w*|sup\w*|sopp\w*|ges\w*|fatsat\w*|a?sp[ai]+r|f?stir|tirm|chess|water\w*|wats|we)"
_NOT_FAT_SUPPRESSED = re.compile(
    rf"\b{_NEGATION} ?(?:{_FAT} ?)?{_SUPPRESSOR}\b(?: (?:de |da |la |del )*{_FAT}\b)?|\bnonfs\b"
    rf"|\b(?:{_FAT} ?)?{_SUPPRESSOR} (?:excitation )?(?:off|no|none|aus|0)\b"
)

_INJECTED = r"in[jiy]e[ck]\w*|inj"
_AGENT = (
    rf"(?:gd\w*|gad\w*|(?:post?)?[ck]ontrast\w*|[ck]ontr|cont|w con|(?:nach|post|[mnp])?km\d?|mdc"
    rf"|(?<!(?<!t)\d )cm|ce|c|iv|i v|civ|gbca|p ?c|{_INJECTED}|dtpa|dotarem|magnevist|multihance|omniscan"
    r"|prohance|clariscan|primovist|eovist|elucirem|vueway|optimark)"
)
_CONTRAST = re.compile(
    rf"\b{_AGENT}\b(?! ?spine)|\bt1(?:c|ce|cm|km|gd|gad\w*|post)\b|\bc ?\+|\+ ?(?:c|gd|km|mdc|contrast)\b|\+$"
    r"|\bpost(?:gad\w*|gd\w*|con\w*|km|c|ce|inj\w*)?\b(?! ?(?:op|rt|chir|surg))|\b(?:enh|enhanced|enhancement)\b"
    r"|\b\d+ ?min\b|\b(?:delay\w*|late|spat|tardif|tardive|tardio)\b"
)
_NO_CONTRAST = re.compile(
    rf"\b(?:{_NEGATION}|pre|avant|antes|prima|vor|voor|before) ?(?:de |d |di |del |iv )*{_AGENT}\b"
    rf"|\b(?:un|non) ?(?:enh\w*|contrast\w*)|\b(?:pre|nativ\w*|natif|blanco|basal|precontrast\w*)\b"
)

_UNLIKE_A_TECHNIQUE = re.compile(r"\b(?:Fs|We)\.? +(?=[A-Z][a-z]{2,}\b)")
"""A person's initials before a name: techniques are written all small or all large."""

_PHASE_SUFFIX = re.compile(r"_(?:in|opp|out)$")

_CONTRAST_ELSEWHERE = re.compile("造影|增强|增強|强化|強化|조영|контраст|усилен|σκιαγραφ|ניגוד|تباين")
"""Contrast agent in scripts that `plain` cannot keep; a negation there is not read, so a person is asked."""

_SINGLE_SHOT = _any_of(r"\w*haste\w* ssfse\w* \w*sshtse ss~tse ssh single~shot fase\w*")

_KINDS = (
    ("localizer", _any_of(
        r"loc locali\w* lokali\w* \w*scout\w* survey topogram\w* plan(?:ung|ning)? reper\w* calib\w*"
        r" ref(?:erence)?~scan shim\w* 3~pl(?:ane|an)? tri~plan\w* pilot smartbrain")),
    ("diffusion", _any_of(r"e?dwi\w* dti diff\w* trace\w* ep2d\w* ivim resolve zoomit dw~ssh dwibs b~=~\d+ b\d{2,4}")),
    ("computed-map", _any_of(
        r"[ed]?adc\w* \w*map mapping relaxom\w* karte ff pdff fat~frac\w* r2star k~trans synthetic magic symri")),
    ("magnetisation-transfer", _any_of(r"mtc mt~on magneti[sz]ation~transfer")),
    ("arthrography", _any_of(r"arthro\w* artrog\w* artro arthrogram\w*")),
    ("test-object", _any_of(r"phantom\w* qa qc quality~(?:assurance|control) acr")),
    ("echo-planar", _any_of("epi")),
    ("subtraction", _any_of(r"subs? subtr\w* subst\w* soustr\w* sous sustr\w* sottr\w* aftrek\w*")),
    ("projection", _any_of("mip minip m~ip vrt vr pjn projection")),
    ("reformat", _any_of(r"mpr\w* reformat\w* reform refmt rekon\w* recon\w* curved")),
    ("dynamic", _any_of(
        r"perf\w* dce dyn\w* twist\w* tricks disco grasp wash~\w* dsc 4d\w* bolus arter\w* ven venous portal\w*")),
    ("angiography", _any_of(r"angi\w* mra cemra tof pca phlebo\w* venogra\w* flebo\w*")),
    ("fat-image", _any_of("(?:fat|fett)_only")),
    ("in-or-opposed-phase", _any_of(r"(?:in|opp?|opposed|out|out_of|ip|op)~(?:phase|ph) (?:in|out|opp)phas\w*")),
    ("phase-image", _any_of("(?:phase|pha)~(?:image|map|contrast)")),
    ("screen-capture", _any_of(r"screen\w* capture snapshot dose~report key~images?")),
)  # fmt: skip
"""Words that name another kind of series, by the code of its refusal."""

_SUFFIX_WORDS = 3
"""Which image of a Dixon measurement it is stands among a description's last words: ``t2_dixon_tra_W_ND``."""

_DIXON = _any_of(r"\w*dixon ideal flex wfi wfs fat~sep")
_DIXON_PARTS = (
    ("water", re.compile(r"^(?:water|wasser|eau)\b|\b(?:water|wasser) ?(?:only|image)?$")),
    ("fat-image", re.compile(rf"^(?:fat|fett) (?!{_SATURATED})|(?<!sat )(?<!sup )\b(?:fat|fett) ?(?:image)?$")),
)
_DIXON_SUFFIXES = (
    ("water", {"w", "water", "wasser", "eau", "agua", "wat"}),
    ("fat-image", {"f", "fat", "fett", "graisse", "grasa"}),
    ("in-or-opposed-phase", {"in", "ip", "inph", "op", "opp", "out", "outph", "inphase", "outphase"}),
)
