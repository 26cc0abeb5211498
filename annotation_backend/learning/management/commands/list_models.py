"""`list_models`: the registered models, and which of them serve."""

from argparse import ArgumentParser
from typing import Any

from django.db.models import Q

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.learning.runs.withdrawn import withdrawn_by_model
from annotation_backend.registry.models import Model
from annotation_backend.registry.prompt_services import PromptService, newest_promotions, prompt_services
from annotation_backend.studies.arguments import add_study_of_projects
from annotation_backend.studies.models import Study
from annotation_backend.studies.services import find_study


class Command(MaskloopCommand):
    """Lists the registered models, and who answers each kind of prompt in a study."""

    help = "List the registered models, what each serves, and which prompts of a study have no model and why."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the study."""
        add_study_of_projects(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Lists each model with the kinds of prompt that it serves."""
        studies = [find_study(options["study"])] if options["study"] else list(Study.objects.all())
        serving = [row for study in studies for row in newest_promotions(study)]
        of_studies = Q(study=None) | Q(study__in=studies) | Q(pk__in=[row.model_id for row in serving])
        rows, findings = [], []
        models = list(Model.objects.filter(of_studies).select_related("study"))
        gone = withdrawn_by_model([model for model in models if model.study in studies])
        for model in models:
            serves = sorted({row.prompt_kind for row in serving if row.model_id == model.pk})
            takes = model.images or ["any image"]
            rows.append(
                {
                    "model": str(model),
                    "digest": model.digest,
                    "images": model.images,
                    "label": model.label,
                    "answers": model.prompt_kinds,
                    "serves": serves,
                    "withdrawn": gone.get(model.pk, []),
                }
            )
            self.say(
                f"{model}  draws {model.label or 'what it is shown'} on {', '.join(takes)}  "
                f"answers {', '.join(model.prompt_kinds)}  serves {', '.join(serves) or 'nothing'}"
            )
            if model.pk in gone:
                findings.append(
                    f"{model} learned from cases that were withdrawn since: {', '.join(gone[model.pk])}. "
                    "Train again without them. [model-withdrawn]"
                )
        if not rows:
            self.say("No model is registered. `manage.py up` registers LiteMedSAM, `manage.py train_model` makes one.")
        return {"models": rows, "studies": {study.name: self._prompts(study) for study in studies}}, findings

    def _prompts(self, study: Study) -> list[dict[str, Any]]:
        self.say(f"{study}:")
        services = prompt_services(study)
        for service in services:
            self.say(f"  {service}")
        return [_as_values(service) for service in services]


def _as_values(service: PromptService) -> dict[str, Any]:
    model = None if service.model is None else str(service.model)
    return {"prompts": service.kind.value, "label": service.label, "model": model, "note": service.note}
