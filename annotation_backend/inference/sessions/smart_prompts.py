"""SmartPrompt: one point or box of a person who waits for an answer."""

from dataclasses import dataclass, field
from enum import StrEnum

from annotation_backend.registry.models import PromptKind
from training.prompts.prompt import Prompts


class Wish(StrEnum):
    """What a person may ask of a session instead of a mask."""

    UNDO = "undo"
    START_OVER = "start-over"


@dataclass(frozen=True)
class SmartPrompt:
    """One point or box.

    Args:
        region_id: The editor's id of it, the same in every request until it is deleted.
        asks: The kind of prompt that it is for the models, or a wish.
        prompts: Itself alone, in millimetres; a wish's place means nothing.
    """

    region_id: str
    asks: PromptKind | Wish
    prompts: Prompts = field(default_factory=Prompts)
