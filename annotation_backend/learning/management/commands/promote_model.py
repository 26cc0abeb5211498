"""`promote_model`: lets a model serve."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.registry.model_registry import check_promotion, find_model, labels_drawn, promote
from annotation_backend.registry.models import PromptKind
from annotation_backend.registry.study_fit import fit_in
from annotation_backend.studies.arguments import add_study, study_of


class Command(MaskloopCommand):
    """Promotes a model: the web service takes it up at its next prediction, without a restart."""

    help = "Let a registered model serve a study from its next prediction on."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the model and the kinds of prompt that it is to serve."""
        parser.add_argument("model", help="name-version, as list_models shows it")
        parser.add_argument(
            "--for", dest="kinds", nargs="+", choices=PromptKind.values, help="kinds of prompt to serve"
        )
        parser.add_argument("--label", help="the study's label that it draws (default: the one that it learned)")
        add_study(parser)
        parser.add_argument("--dry-run", action="store_true", help="only check that it could serve")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Checks the model and promotes it."""
        study, model, label = study_of(options), find_model(options["model"]), options["label"]
        kinds = check_promotion(model, [PromptKind(kind) for kind in options["kinds"] or []], study=study, label=label)
        doubt = fit_in(model, study.protocol).reason
        findings = [f"{doubt}. It serves because you said so."] if doubt else []
        document = {
            "study": study.name,
            "model": str(model),
            "serves": [kind.value for kind in kinds],
            "labels": list(labels_drawn(model, study, label)),
        }
        if options["dry_run"]:
            return document, findings
        promote(model, study=study, kinds=kinds, label=label)
        self.say(f"{model} answers in {study} from the next prediction on: {', '.join(kind.label for kind in kinds)}.")
        if PromptKind.AUTOMATIC in kinds:
            self.say("The worker now draws the tasks that nobody submitted anew with it.")
        return document, findings
