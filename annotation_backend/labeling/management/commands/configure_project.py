"""`configure_project`: how annotators draw, which labels they are offered, which model answers which prompt."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.labeling.interface.editor import change_settings
from annotation_backend.labeling.interface.project_settings import (
    check_settings,
    last_settings,
    project_settings,
    settings_from,
)
from annotation_backend.labeling.masks.controls import MaskFormat
from annotation_backend.labeling.project.project import current_project, ensure_project
from annotation_backend.labeling.project.tabs import ensure_tabs
from annotation_backend.registry.models import PromptKind
from annotation_backend.studies.arguments import add_study, study_of
from datasets.errors import RejectedInput
from datasets.image.mask import OEDEMA

PROMOTED = "promoted"


class Command(MaskloopCommand):
    """Changes the project's settings; without an option it only shows them."""

    help = "Show or change how annotators draw and which model answers which kind of prompt."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds one option for each setting."""
        parser.add_argument(
            "--mask-format", choices=[one.value for one in MaskFormat], help="what annotators draw with"
        )
        parser.add_argument(
            "--label",
            action="append",
            default=[],
            metavar="NAME=on|off",
            help="whether annotators draw a label of the protocol as well; repeatable",
        )
        parser.add_argument("--oedema", choices=["on", "off"], help="short for --label Oedema=on or Oedema=off")
        parser.add_argument(
            "--model",
            action="append",
            default=[],
            metavar="KIND=NAME-VERSION",
            help=f"the model that answers a kind of prompt ({', '.join(PromptKind.values)}), or {PROMOTED}; repeatable",
        )
        parser.add_argument("--tabs", action="store_true", help="make tabs again that were deleted in Label Studio")
        add_study(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say what would be set")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Changes the settings that were given."""
        study = study_of(options)
        project = current_project(study)
        before = project_settings(project) if project else last_settings(study)
        labels = [f"{OEDEMA}={options['oedema']}"] if options["oedema"] else []
        after = settings_from(
            before,
            study.protocol,
            mask_format=options["mask_format"],
            labels=dict(_switch(word) for word in (*options["label"], *labels)),
            prompt_models=dict(_pair(word) for word in options["model"]),
        )
        check_settings(after, study)
        document: dict[str, Any] = {"settings": after.as_dict(), "changed": after != before, "tabs": 0}
        if not options["dry_run"] and (after != before or options["tabs"]):
            project = ensure_project(study)
            change_settings(project, after, person=None)
            document["tabs"] = ensure_tabs(project, anew=True) if options["tabs"] else 0
        for name, value in after.as_dict().items():
            self.say(f"{name}: {value}")
        return document, []


def _switch(word: str) -> tuple[str, bool]:
    name, _, state = word.rpartition("=")
    if state not in ("on", "off"):
        raise RejectedInput(
            "label-choice", "--label needs a label and on or off.", remedy="Write e.g. --label Oedema=on."
        )
    return name, state == "on"


def _pair(word: str) -> tuple[str, str | None]:
    kind, separator, name = word.partition("=")
    if not (separator and name):
        raise RejectedInput(
            "model-choice",
            "--model needs a kind of prompt and a model.",
            remedy=f"Write e.g. --model point=clicks-2d-2, or --model point={PROMOTED} to go back.",
        )
    return kind, None if name == PROMOTED else name
