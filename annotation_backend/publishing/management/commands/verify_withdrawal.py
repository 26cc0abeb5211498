"""`verify_withdrawal`: proves from files alone that a version holds no voxel of the cases that were withdrawn."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path


class Command(MaskloopCommand):
    """Reads both versions to their last voxel; needs no database, and believes no manifest about voxels."""

    help = "Prove that no voxel of withdrawn cases is in a version, by reading it and the version that held them."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The two folders."""
        parser.add_argument("former", type=a_path, help="the folder of a version that holds the cases")
        parser.add_argument("version", type=a_path, help="the folder of the version that must be without them")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Looks for the cases that the version itself names as withdrawn."""
        from datasets.release.correcting.absence import read_absence

        found = read_absence(options["former"], options["version"], progress=self.progress("reading case"))
        self.say(found.sentence)
        lines = [f"{met}. [withdrawn-voxels]" for met in found.met]
        lines += [f"{name} cannot be read. [withdrawal-unproven]" for name in found.unread]
        return found.as_dict(), lines
