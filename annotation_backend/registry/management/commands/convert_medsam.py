"""`convert_medsam`: MedSAM's ViT-B, from a file that the user has to a model package."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.registry.model_registry import models_folder, register_package


class Command(MaskloopCommand):
    """Converts once; nothing is fetched, because the weights are 375 MB and not ours to hand on."""

    help = "Convert MedSAM's ViT-B weights, from a file or folder of yours, to a model package; and register it."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The weights, and the folder of the package."""
        parser.add_argument(
            "source",
            type=a_path,
            help="medsam_vit_b.pth, or a folder with config.json and model.safetensors of a SamModel",
        )
        parser.add_argument("--out", type=a_path, metavar="FOLDER", help="write the package there and register nothing")
        parser.add_argument("--model-version", default="1", metavar="VERSION", help="of the package (default 1)")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Converts, then registers unless a folder was named."""
        from training.pretrained.medsam_vit import convert_medsam_vit

        version = options["model_version"]
        folder = options["out"] or models_folder() / f"medsam-vit-{version}"
        digest = convert_medsam_vit(options["source"], folder, version=version)
        if options["out"] is not None:
            self.say(f"Converted. `segment_volume --model {folder}` draws with it.")
            return {"folder": str(folder), "digest": digest}, []
        model = register_package(folder)
        self.say(f"{model}: registered. `manage.py promote_model {model} --for box` lets it serve.")
        return {"model": str(model), "digest": digest}, []
