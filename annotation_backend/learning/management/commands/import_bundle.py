"""`import_bundle`: a MONAI Bundle as a registered model."""

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.learning.exchange.imported import a_kind, axcodes, name_of, registered_or_written

if TYPE_CHECKING:
    from training.exchange.imported import Imported


class Command(MaskloopCommand):
    """Nothing of a bundle's code runs: networks and transforms of MONAI's are made by a list of names."""

    help = "Import a MONAI Bundle, of ours or made elsewhere, as a model; and register it."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The bundle, what it draws on what, and where the package goes."""
        parser.add_argument("bundle", type=a_path, help="folder with configs/ and models/")
        parser.add_argument("--name", help="of the model (default: the folder's)")
        parser.add_argument("--model-version", default="1", metavar="VERSION", help="of the model (default 1)")
        parser.add_argument("--out", type=a_path, metavar="FOLDER", help="write the package there and register nothing")
        group = parser.add_argument_group("of bundles made elsewhere; those of ours say it themselves")
        group.add_argument("--images", nargs="+", type=a_kind, default=(), metavar="KIND", help="of each input channel")
        group.add_argument("--label", default="", help="that it draws")
        group.add_argument(
            "--class", dest="channel", type=int, metavar="N", help="output channel of the label (default: the only one)"
        )
        group.add_argument(
            "--axcodes",
            type=axcodes,
            metavar="CODE",
            help="where the axes of the images run that it learned from, if its transforms do not turn them: LPS …",
        )
        group.add_argument(
            "--spacing",
            nargs=3,
            type=float,
            default=(),
            metavar="MM",
            help="millimetres of the voxels that it learned from along these axes, if its transforms do not say it",
        )

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Imports the bundle, then registers it unless a folder was named."""
        from training.exchange.bundle.importing import import_bundle

        name = name_of(options["name"], options["bundle"])

        def write(package: Any) -> "Imported":
            return import_bundle(
                options["bundle"],
                package,
                name=name,
                version=options["model_version"],
                kinds=options["images"],
                label=options["label"],
                channel=options["channel"],
                axcodes=options["axcodes"] or "",
                spacing=options["spacing"],
            )

        version = options["model_version"]
        return registered_or_written(self, write, name=name, version=version, folder=options["out"])
