"""SmartPrompt: one prompt, or a command such as undo, of an annotator who waits for a prediction."""

from dataclasses import dataclass, field
from enum import StrEnum

from annotation_backend.registry.models import PromptKind
from training.prompts.prompt import Prompts


class SessionCommand(StrEnum):
    """A command to a session, given instead of a prompt."""

    UNDO = "undo"
    START_OVER = "start-over"


@dataclass(frozen=True)
class SmartPrompt:
    """One prompt or command of an interactive request.

    Args:
        region_id: Label Studio's id of its region, the same in every request until the region is deleted.
        action: A kind of prompt (point, box, extreme points), or a command (undo, start over).
        prompts: This prompt alone, in millimetres; the place of a command is ignored.
        label: That the prompt draws; empty for a command.
    """

    region_id: str
    action: PromptKind | SessionCommand
    prompts: Prompts = field(default_factory=Prompts)
    label: str = ""
