"""What a label, an anatomical site and a tissue of origin are in SNOMED CT.

A label that is not known here keeps its own name with a code of ours: a wrong code would be worse than none.

Source: SNOMED CT as DICOM PS3.16 uses it (CID 7150 Segmentation Property Category, CID 7151, CID 4031 Common Anatomic
Regions); every code stands in pydicom's dictionary, which the tests compare.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from datasets.release.codes import word_of

SNOMED = "SCT"
OURS = "99MASKLOOP"
"""The scheme of codes that are the label's own word."""


_LONGEST_TEXT = 64


def header_text(text: str) -> str:
    """One line as a DICOM header takes it: at most 64 characters, without the sign that would make it two values."""
    return text.replace("\\", "/")[:_LONGEST_TEXT]


@dataclass(frozen=True)
class Code:
    """A coded concept.

    Args:
        value: The code.
        meaning: What it means, in English.
        scheme: Whose code it is.
    """

    value: str
    meaning: str
    scheme: str = SNOMED


MORPHOLOGY = Code("49755003", "Morphologically Abnormal Structure")
ANATOMY = Code("91723000", "Anatomical Structure")
NEOPLASM = Code("108369006", "Neoplasm")

_LEFT, _RIGHT = Code("7771000", "Left"), Code("24028007", "Right")
SIDES: Mapping[str, Code] = MappingProxyType({"left": _LEFT, "right": _RIGHT})
"""What stands behind the comma of an anatomical site."""

_OEDEMA = Code("79654002", "Edema")
_ABNORMAL = {
    **dict.fromkeys(("tumour", "tumor", "mass", "lesion", "sarcoma", "neoplasm", "gtv", "gtv mass"), NEOPLASM),
    **dict.fromkeys(("oedema", "edema", "gtv edema", "gtv oedema"), _OEDEMA),
    "necrosis": Code("6574001", "Necrosis"),
    "cyst": Code("367643001", "Cyst"),
    **dict.fromkeys(("haemorrhage", "hemorrhage"), Code("50960005", "Hemorrhage")),
}
_NORMAL = {
    "bone": Code("272673000", "Bone"),
    "muscle": Code("71616004", "Muscle"),
    "fat": Code("55603005", "Fat"),
    "nerve": Code("91728009", "Nerve"),
    **dict.fromkeys(("vessel", "blood vessel"), Code("59820001", "Blood Vessel")),
}

_TISSUES = {
    "fat": Code("55603005", "Fat"),
    "nerve": Code("91728009", "Nerve"),
    "vascular": Code("59820001", "Blood Vessel"),
    "fibrous": Code("21793004", "Connective tissue"),
}

_THIGH, _LOWER_LEG = Code("68367000", "Thigh"), Code("30021000", "Lower leg")
_BUTTOCK, _UPPER_ARM = Code("46862004", "Buttock"), Code("40983000", "Upper arm")
_SITES = {
    **dict.fromkeys(("thigh", "upper leg"), _THIGH),
    **dict.fromkeys(("leg", "lower leg", "calf"), _LOWER_LEG),
    **dict.fromkeys(("buttock", "glute", "gluteal"), _BUTTOCK),
    **dict.fromkeys(("arm", "upper arm"), _UPPER_ARM),
    "forearm": Code("14975008", "Forearm"),
    "shoulder": Code("16982005", "Shoulder"),
    "pelvis": Code("816092008", "Pelvis"),
    "hip": Code("29836001", "Hip"),
    "knee": Code("72696002", "Knee"),
    "hand": Code("85562004", "Hand"),
    "foot": Code("56459004", "Foot"),
    "chest wall": Code("78904004", "Chest wall"),
    "neck": Code("45048000", "Neck"),
    "head": Code("69536005", "Head"),
    "axilla": Code("91470000", "Axilla"),
    "back": Code("77568009", "Back"),
    "flank": Code("58602004", "Flank"),
    "trunk": Code("22943007", "Trunk"),
    "abdomen": Code("818981001", "Abdomen"),
    "retroperitoneum": Code("82849001", "Retroperitoneum"),
}


@dataclass(frozen=True)
class LabelCodes:
    """What a label is.

    Args:
        category: A morphology or an anatomical structure.
        kind: The thing itself.
    """

    category: Code
    kind: Code

    @property
    def is_known(self) -> bool:
        """Whether it is a code of SNOMED CT."""
        return self.kind.scheme == SNOMED


def codes_of_label(name: str) -> LabelCodes:
    """The codes of a label by its name, capitals and signs aside.

    Args:
        name: As the release has it.
    """
    spelt = " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
    if spelt in _ABNORMAL:
        return LabelCodes(MORPHOLOGY, _ABNORMAL[spelt])
    if spelt in _NORMAL:
        return LabelCodes(ANATOMY, _NORMAL[spelt])
    return LabelCodes(MORPHOLOGY, Code(word_of(name, otherwise="label")[:64], header_text(name), OURS))


def codes_of_site(site: str) -> tuple[Code | None, Code | None]:
    """The region of an anatomical site, and its side; None for what is not known here.

    Args:
        site: In words, such as ``thigh, left``.
    """
    region, _, side = site.casefold().partition(",")
    return _SITES.get(region.strip()), SIDES.get(side.strip())


def code_of_tissue(tissue: str) -> Code | None:
    """The structure that a tissue type is of; None for one that is no structure, such as myxoid."""
    return _TISSUES.get(tissue)


_TABLES = (SIDES, _ABNORMAL, _NORMAL, _TISSUES, _SITES)

KNOWN = (MORPHOLOGY, ANATOMY, *(code for table in _TABLES for code in table.values()))
"""Every code of SNOMED CT that is written here."""
