"""`promote_model`: lets a model serve, or the one that served before."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.learning.runs.promoting import judged, promote_by_grounds, require_grounds
from annotation_backend.learning.runs.withdrawn import withdrawn_by_model
from annotation_backend.registry.model_registry import check_promotion, find_model, labels_drawn
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.registry.serving_history import go_back
from annotation_backend.registry.study_fit import fit_in
from annotation_backend.studies.arguments import add_study, study_of
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Promotes a model: the web service takes it up at its next prediction, without a restart."""

    help = "Let a registered model serve a study from its next prediction on, or go back to the one before."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the model, the kinds of prompt that it is to serve, and the reason."""
        parser.add_argument("model", nargs="?", help="name-version, as list_models shows it")
        parser.add_argument("--back", action="store_true", help="go back to the model that served before")
        parser.add_argument(
            "--for", dest="kinds", nargs="+", choices=PromptKind.values, help="kinds of prompt to serve"
        )
        parser.add_argument("--label", help="the study's label that it draws (default: the one that it learned)")
        parser.add_argument(
            "--reason",
            default="",
            metavar="WORDS",
            help="why it is to serve, where figures on the same folds do not show it to be better; it is kept, so say "
            "nothing of a patient",
        )
        add_study(parser)
        parser.add_argument("--dry-run", action="store_true", help="only check that it could serve")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Checks the model and promotes it, or goes back."""
        study = study_of(options)
        if options["back"] == (options["model"] is not None):
            raise RejectedInput(
                "options-incomplete", "Name a model, or give --back: one of the two.", remedy="See --help."
            )
        if options["back"]:
            return self._back(study, options), []
        return self._promoted(study, find_model(options["model"]), options)

    def _promoted(self, study: Study, model: Model, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        label, reason = options["label"], options["reason"]
        kinds = check_promotion(model, [PromptKind(kind) for kind in options["kinds"] or []], study=study, label=label)
        found = judged(model, kinds, study=study, label=label)
        require_grounds(model, found, reason)
        document = {
            "study": study.name,
            "model": str(model),
            "serves": [kind.value for kind in kinds],
            "labels": list(labels_drawn(model, study, label)),
            "judged": [each.as_dict() for each in found],
        }
        for each in found:
            self.say(f"Against {each.serving}: {each.words}.")
        if not options["dry_run"]:
            promote_by_grounds(model, study=study, kinds=kinds, label=label, reason=reason)
            self._tell(study, model, kinds)
        return document, _findings(study, model)

    def _back(self, study: Study, options: dict[str, Any]) -> dict[str, Any]:
        if options["dry_run"]:
            raise RejectedInput("options-incomplete", "--back knows no --dry-run.", remedy="Leave one of them out.")
        kinds = [PromptKind(kind) for kind in options["kinds"] or []]
        rows = go_back(study, kinds=kinds, label=options["label"], reason=options["reason"])
        for row in rows:
            self._tell(study, row.model, [PromptKind(row.prompt_kind)])
        return {
            "study": study.name,
            "back": [{"model": str(row.model), "prompts": row.prompt_kind, "label": row.label} for row in rows],
        }

    def _tell(self, study: Study, model: Model, kinds: list[PromptKind]) -> None:
        self.say(f"{model} answers in {study} from the next prediction on: {', '.join(kind.label for kind in kinds)}.")
        if PromptKind.AUTOMATIC in kinds:
            self.say("The worker now draws the tasks that nobody submitted anew with it.")


def _findings(study: Study, model: Model) -> list[str]:
    """What is doubtful about a model that serves all the same."""
    doubt = fit_in(model, study.protocol).reason
    gone = withdrawn_by_model([model] if model.study_id == study.pk else []).get(model.pk, [])
    told = f"{model} learned from cases that were withdrawn since: {', '.join(gone)}. [model-withdrawn]"
    return [*([f"{doubt}. It serves because you said so."] if doubt else []), *([told] if gone else [])]
