"""The meaning of a label map's values, stated by a person or a dataset: "2 is the tumour, 1 its oedema".

A value means one thing in a whole cohort. Where its meaning is not stated, only a plain mask (one value, 1 or 255, the
same in every file) is taken for the tumour; anything else is a question to a person, never a guess.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol
from unicodedata import normalize

from datasets.errors import RejectedInput
from datasets.image.mask import OEDEMA, TUMOUR
from datasets.labels.stored_values import MOST_LABEL

PLAIN_VALUES = (1, 255)
"""The values that programs write for the inside of a single region."""

LABEL_LIST_NAME = "dataset.json"
"""nnU-Net's description of a dataset, with its labels."""

LABEL_TABLE_ENDING = "dseg.tsv"
"""How BIDS ends the names of tables of labels, with the columns ``index`` and ``name``."""

_MOST_BYTES = 1 << 20
_BACKGROUNDS = frozenset({"background", "bg", "hintergrund", "fond", "0"})
_OEDEMA_NAME = re.compile(r"o?edema|ödem|oedem|(œ|oe)d[eè]me|obrzęk|от[её]к|水[肿腫]|浮腫|부종|وذمة")
_TUMOUR_NAME = re.compile(
    r"tumou?r|tumeur|lesion|läsion|lésion|sarcoma|neoplasm|gtv|\bmass\b|опухоль|[肿腫][瘤瘍]|종양|ورم"
)
_SAYS_NOTHING = re.compile(
    r"(?:segment|segmentation|label|region|roi|mask|class|object|untitled|contour|foreground)?[\s_.-]*\d*"
)
_PAIR = re.compile(r"\s*([^=,]+?)\s*=\s*(\d{1,3})\s*")

LabelValues = Mapping[int, str]
"""Value to the name of its region: `TUMOUR`, `OEDEMA`, or a person's own name for it. Names are free text."""


class KnownLabel(Protocol):
    """A label of a study, and the words in the names of imported regions that mean it."""

    @property
    def name(self) -> str:
        """As people see it."""

    @property
    def imported_names(self) -> tuple[str, ...]:
        """Small letters; the surest first."""


def region_called(name: str, labels: Iterable[KnownLabel] | None = None) -> str:
    """The label that a region's name means; a name that means none as it is.

    Args:
        name: Of an imported region.
        labels: The study's; None for `TUMOUR` and `OEDEMA` alone. Their own names and imported names count as whole
            words, the longest first; the synonyms of tumour and oedema where the study has such labels.
    """
    plain = normalize("NFC", name).lower().replace("_", " ")
    common = OEDEMA if _OEDEMA_NAME.search(plain) else TUMOUR if _TUMOUR_NAME.search(plain) else ""
    if labels is None:
        return common or name.strip()
    sizes = _named_labels(plain, labels)
    hits = {one: size for one, size in sizes.items() if size}
    if common == OEDEMA and common in sizes and set(hits) <= {TUMOUR, OEDEMA}:
        return common
    return max(hits, key=lambda one: hits[one]) if hits else common if common in sizes else name.strip()


def names_several(name: str, labels: Iterable[KnownLabel]) -> bool:
    """Whether the words of a region's name say two labels of a study at once, as ``tumour_no_oedema`` does."""
    if names_tumour_and_oedema(name):
        return True
    words = normalize("NFC", name).lower().split("_")
    meant = [{label.name for label in labels if word in (label.name.lower(), *label.imported_names)} for word in words]
    single = [one for found in meant if len(found) == 1 for one in found]
    whole = " ".join(words) in {text.replace("_", " ") for label in labels for text in label.imported_names}
    return len(set(single)) > 1 and not whole


def names_tumour_and_oedema(name: str) -> bool:
    """Whether the words of a region's name say tumour and oedema at once, as ``tumour_no_oedema`` does."""
    plain = normalize("NFC", name).lower().split("_")
    return any(map(_OEDEMA_NAME.search, plain)) and any(map(_TUMOUR_NAME.match, plain))


def _named_labels(plain: str, labels: Iterable[KnownLabel]) -> dict[str, int]:
    """Each label of a study to the length of its longest name among the words; 0 where none is there."""
    spelt = " ".join(["", *re.findall(r"[^\W_]+", plain), ""])
    sizes: dict[str, int] = {}
    for label in labels:
        names = [text.replace("_", " ") for text in (label.name.lower(), *label.imported_names)]
        sizes[label.name] = max((len(text) for text in names if f" {text} " in spelt), default=0)
    return sizes


def is_generic_name(name: str) -> bool:
    """Whether a label's name is one that programs give: ``Segment_1``, ``label 2``, ``foreground``."""
    return bool(_SAYS_NOTHING.fullmatch(name.strip().lower()))


def parse_label_values(text: str) -> dict[int, str]:
    """``tumour=2,oedema=1`` as {2: `TUMOUR`, 1: `OEDEMA`}; a single number is the tumour's.

    Raises:
        RejectedInput: ``label-values``: it is no list of names and values, or a value or the tumour stands twice.
    """
    if re.fullmatch(r"\s*\d{1,3}\s*", text):
        text = f"{TUMOUR}={text}"
    found = [_PAIR.fullmatch(part) for part in text.split(",")]
    pairs = [(int(pair[2]), region_called(pair[1])) for pair in found if pair is not None]
    values = dict(pairs)
    names = [name for _, name in pairs]
    if len(pairs) < len(found) or len(values) < len(pairs) or len(set(names)) < len(names) or not _in_range(values):
        raise RejectedInput(
            "label-values",
            f"The labels are not a list of names, each with a value from 1 to {MOST_LABEL}, that names each once.",
            remedy="Write them like tumour=2,oedema=1.",
        )
    return values


def read_label_list(path: Path) -> dict[int, str]:
    """The labels that a `dataset.json` or a BIDS table names; {} where it names none, or only numbers them.

    Raises:
        RejectedInput: ``label-list``: it cannot be read, or says two things of one value.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _unreadable()
        text = path.read_text(encoding="utf-8-sig")
        pairs = _of_table(text) if path.name.lower().endswith(".tsv") else _of_document(json.loads(text))
        named = [(int(str(value)), str(name)) for value, name in pairs]
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        raise _unreadable() from error
    labels = {value: region_called(name) for value, name in named if value and not _is_background(name)}
    if len({value for value, _ in named}) < len(named) or not _in_range(labels):
        raise _unreadable()
    return labels


def tumour_value(labels: LabelValues) -> int | None:
    """The value that the names call the tumour; None where none or several do."""
    values = [value for value, name in labels.items() if name == TUMOUR]
    return values[0] if len(values) == 1 else None


def _is_background(name: str) -> bool:
    return name.strip().lower() in _BACKGROUNDS or is_generic_name(name)


def _of_document(document: object) -> Iterable[tuple[object, object]]:
    """nnU-Net's newer lists name the values, its older ones number the names. A label of several values is none."""
    labels = document.get("labels") if isinstance(document, dict) else None
    if not isinstance(labels, dict):
        return []
    if all(isinstance(name, str) for name in labels.values()):
        return [(value, name) for value, name in labels.items()]
    return [(value, name) for name, value in labels.items() if not isinstance(value, list)]


def _of_table(text: str) -> Iterable[tuple[object, object]]:
    rows = csv.DictReader(io.StringIO(text), delimiter="\t")
    if not {"index", "name"} <= set(rows.fieldnames or ()):
        return []
    return [(row["index"], row["name"]) for row in rows if row["index"] and row["name"]]


def _in_range(labels: LabelValues) -> bool:
    return all(0 < value <= MOST_LABEL for value in labels)


def _unreadable() -> RejectedInput:
    return RejectedInput(
        "label-list",
        "The list of labels cannot be read or names a value twice.",
        remedy="Correct it, or say the values with the command's option.",
    )
