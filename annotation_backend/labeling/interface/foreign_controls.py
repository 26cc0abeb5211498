"""Controls that annotations name and our interface does not have; Label Studio refuses an interface without them.

One save by its API that names another control is enough to block every later change of the interface. So such a control
is in the interface, hidden.
"""

import re
from collections.abc import Iterable
from html import escape

from annotation_backend.labeling.masks.controls import BITMASK, BRUSH, COMPANION, HINT, IMAGE, SMART_BOX, SMART_POINT

_OURS = {BRUSH, BITMASK, SMART_POINT, SMART_BOX, HINT}

_TAGS = {
    name.lower(): name
    for kind in ("Brush", "Bitmask", "Polygon", "Ellipse", "Rectangle", "KeyPoint")
    for name in (kind, f"{kind}Labels")
}
"""Tags of Label Studio's drawing tools, by the type that stands in a region."""

_NAME = re.compile(r"[\w .-]{1,80}")


def foreign_controls(used: Iterable[str]) -> str:
    """Hidden controls for those that annotations use and that are not ours.

    Args:
        used: As Label Studio counts them: name, picture and type with a bar between.

    Returns:
        XML for the end of the interface; empty where there are none. A control that the editor could not show is left
        out: then Label Studio refuses the interface and says why.
    """
    found = sorted({tuple(key.split("|")) for key in used if key.count("|") == 2})
    lines = [_control(name, tag) for name, shown_on, kind in found if (tag := _tag(name, shown_on, kind))]
    return f'\n  <View style="display: none">{"".join(lines)}\n  </View>' if lines else ""


def _tag(name: str, shown_on: str, kind: str) -> str | None:
    if name in _OURS or shown_on not in (IMAGE, COMPANION) or not _NAME.fullmatch(name):
        return None
    return _TAGS.get(kind.lower())


def _control(name: str, tag: str) -> str:
    inside = '<Label value="not ours"/>' if tag.endswith("Labels") else ""
    return f'\n    <{tag} name="{escape(name)}" toName="{IMAGE}">{inside}</{tag}>'
