"""The names that 3D Slicer writes into the header of a segmentation in NRRD: which value is which segment.

Names are free text, into which people type anything; nothing of them may be shown.
"""

import re
from pathlib import Path

from datasets.formats.itk_headers import MOST_HEADER_BYTES
from datasets.gate import DEFAULT_BUDGET, Budget, opened
from datasets.labels.label_values import is_generic_name
from datasets.labels.stored_values import MOST_LABEL

_SUFFIXES = (".nrrd", ".nhdr")
_SEGMENT = re.compile(r"Segment(\d{1,4})_(Name|LabelValue):=(.*)")


def segment_names(path: Path, *, budget: Budget = DEFAULT_BUDGET) -> dict[int, str]:
    """Value to name of the segments that a person named; {} for other files, and for names such as ``Segment_1``.

    Source: 3D Slicer, Segmentations, "Segmentation file format" (``Segment0_Name:=tumor``, ``Segment0_LabelValue:=1``).

    Raises:
        RejectedInput: What the gate refuses.
    """
    if not path.name.lower().endswith(_SUFFIXES):
        return {}
    said: dict[str, dict[str, str]] = {}
    with opened(path, budget=budget) as stream:
        while (line := stream.readline(MOST_HEADER_BYTES).rstrip(b"\r\n")) and stream.tell() <= MOST_HEADER_BYTES:
            if found := _SEGMENT.fullmatch(line.decode("utf-8", "replace")):
                said.setdefault(found[1], {})[found[2]] = found[3].strip()
    named = [(segment.get("LabelValue", ""), segment.get("Name", "")) for segment in said.values()]
    return {int(value): name for value, name in named if _is_label(value) and not is_generic_name(name)}


def _is_label(value: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,3}", value)) and 0 < int(value) <= MOST_LABEL
