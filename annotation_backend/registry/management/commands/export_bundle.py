"""`export_bundle`: a model as a MONAI Bundle."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.registry.chosen_model import choose_model
from datasets.errors import RejectedInput
from training.model_package import read_package


class Command(MaskloopCommand):
    """Writes a folder that `monai.bundle` loads, and runs where the model draws by itself, without Maskloop."""

    help = "Export a model as a MONAI Bundle: network, weights, and how it draws, in MONAI's own transforms."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The model, the folder and the licence."""
        parser.add_argument("model", help="a shipped or registered model, or the folder of a package")
        parser.add_argument("folder", type=a_path, help="new folder of the bundle")
        parser.add_argument("--licence", type=a_path, metavar="FILE", help="text of the licence of the weights")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Exports the model."""
        from training.exchange.bundle.export import export_bundle

        model = choose_model(options["model"])
        model.require_one()
        description, tensors = read_package(model.folder, expected_digest=model.digest)
        reason = export_bundle(options["folder"], description, tensors, licence=_text(options["licence"]))
        if not reason:
            self.say("It draws without Maskloop: docs/README.md of the bundle says how.")
        findings = [f"The bundle holds the network alone: {reason} [bundle-network-alone]"] if reason else []
        document = {"model": model.title, "digest": model.digest, "folder": str(options["folder"])}
        return document | {"draws": not reason}, findings


def _text(path: Any) -> str:
    try:
        return "" if path is None else str(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RejectedInput(
            "bundle-licence", "The file of the licence cannot be read as text.", remedy="Correct --licence."
        ) from error
