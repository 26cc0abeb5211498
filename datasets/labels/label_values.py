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


def region_called(name: str) -> str:
    """`TUMOUR` or `OEDEMA` for their synonyms, any other name as it is."""
    plain = normalize("NFC", name).lower().replace("_", " ")
    if _OEDEMA_NAME.search(plain):
        return OEDEMA
    return TUMOUR if _TUMOUR_NAME.search(plain) else name.strip()


def names_tumour_and_oedema(name: str) -> bool:
    """Whether the words of a region's name say tumour and oedema at once, as ``tumour_no_oedema`` does."""
    plain = normalize("NFC", name).lower().split("_")
    return any(map(_OEDEMA_NAME.search, plain)) and any(map(_TUMOUR_NAME.match, plain))


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
