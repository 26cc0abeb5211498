"""`list_models`: the registered models, and which of them serve."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.studies.arguments import add_study, study_of


class Command(MaskloopCommand):
    """Lists the registered models."""

    help = "List the registered models and what each serves."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the study that they serve."""
        add_study(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Lists each model with the kinds of prompt that it serves."""
        study = study_of(options)
        serving = {kind: Promotion.objects.filter(study=study, prompt_kind=kind).first() for kind in PromptKind}
        rows = []
        for model in Model.objects.all():
            serves = [kind.value for kind, found in serving.items() if found and found.model_id == model.pk]
            rows.append({"model": str(model), "digest": model.digest, "answers": model.prompt_kinds, "serves": serves})
            self.say(f"{model}  answers {', '.join(model.prompt_kinds)}  serves {', '.join(serves) or 'nothing'}")
        if not rows:
            self.say("No model is registered. `manage.py up` registers LiteMedSAM, `manage.py train_model` makes one.")
        return {"models": rows}, []
