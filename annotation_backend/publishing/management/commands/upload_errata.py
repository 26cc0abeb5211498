"""`upload_errata`: errata and tombstone put beside a release where it was published."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.publishing.named_release import find_release


class Command(MaskloopCommand):
    """Carries what was found after publication to where readers look for it; a folder needs no database."""

    help = "Put a release's errata and tombstone beside it where it was published; the release stays as it is."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The release, and where it was published."""
        parser.add_argument("release", help="a release's folder, or with --study its name and version")
        parser.add_argument("address", help="where releases are kept, as upload_release was given it")
        parser.add_argument(
            "--study", metavar="NAME", help="the study whose release it is; without it RELEASE is a folder"
        )

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Puts them there where they are others than what lies there."""
        from datasets.release.stores.address import read_address
        from datasets.release.stores.published_lists import upload_lists

        address = read_address(options["address"])
        folder, _ = find_release(options["release"], options["study"])
        put = upload_lists(folder, address)
        self.say(f"Put beside the release: {', '.join(put)}" if put else "What lies beside it there is as it is here.")
        return {"beside": list(put)}, []
