"""The line above the pictures in which the model says what it heard and what is missing."""

from typing import Any

from annotation_backend.labeling.masks.controls import HINT, IMAGE

LONGEST_HINT = 200
"""Characters that fit on the line's two rows at the narrowest window an annotator works in (1280 pixels)."""


def hint_region(text: str) -> dict[str, Any]:
    """What belongs into an answer's ``result``, beside the mask's region, for Label Studio to show `text`.

    Label Studio takes it at once, without the tick, and puts it in the place of the hint before. It is saved with the
    annotation, as a region of type ``textarea`` that no mask is read from.

    Args:
        text: What to say; cut after `LONGEST_HINT` characters. Nothing about the patient.
    """
    said = text if len(text) <= LONGEST_HINT else f"{text[: LONGEST_HINT - 1]}…"
    return {"id": HINT, "type": "textarea", "from_name": HINT, "to_name": IMAGE, "value": {"text": [said]}}
