"""`register_model`: a package that was trained in a folder as a registered model."""

from argparse import ArgumentParser
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.learning.exchange.imported import registered_or_written
from annotation_backend.registry.chosen_model import choose_model
from training.model_package import read_package, require_name, write_package

if TYPE_CHECKING:
    from pathlib import Path

    from training.exchange.imported import Imported


class Command(MaskloopCommand):
    """Copies the package to the data folder; nothing is promoted by it."""

    help = "Register a model that was trained in a folder, so that promote_model can let it serve."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The package, and what it is called here."""
        parser.add_argument("model", help="a package's folder, such as runs/unet-3d/ensemble")
        parser.add_argument("--name", help="of the model (default: the package's own)")
        parser.add_argument("--model-version", metavar="VERSION", help="of the model (default: the package's own)")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Registers the package, under another name where one is given."""
        from training.exchange.imported import Imported

        model = choose_model(options["model"])
        model.segmenter()  # refuses folds, and what is no such model
        own, tensors = read_package(model.folder, expected_digest=model.digest)
        name, version = options["name"] or own.name, options["model_version"] or own.version
        require_name(name, version)
        known = own
        if (name, version) != (own.name, own.version):
            known = replace(own, name=name, version=version, inputs={**own.inputs, "package": own.digest})

        def write(place: "Path") -> "Imported":
            return Imported(write_package(place, known, tensors), ())

        return registered_or_written(self, write, name=name, version=version, folder=None)
