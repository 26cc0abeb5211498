"""The hint: a line above the pictures that says which prompts the model understood, and which are missing."""

from typing import Any

from annotation_backend.labeling.masks.controls import HINT, IMAGE

LONGEST_HINT = 200
"""Characters that fit on the line's two rows at the narrowest window an annotator works in (1280 pixels)."""


def hint_region(text: str) -> dict[str, Any]:
    """The region for an answer's ``result``, beside the mask's, by which Label Studio shows `text` as the hint.

    Label Studio takes it at once, without the tick, in the place of the hint before. It is saved with the annotation,
    as a region of type ``textarea`` that no mask is read from.

    Args:
        text: The hint; cut after `LONGEST_HINT` characters. Nothing about the patient.
    """
    said = text if len(text) <= LONGEST_HINT else f"{text[: LONGEST_HINT - 1]}…"
    return {"id": HINT, "type": "textarea", "from_name": HINT, "to_name": IMAGE, "value": {"text": [said]}}
