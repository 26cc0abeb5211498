"""`fetch_release`: a published release, brought here and verified."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path


class Command(MaskloopCommand):
    """Fetches a release from wherever it was published; needs no database."""

    help = "Fetch a release from a folder, S3, the web or another store, and verify it; broken off, it goes on."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Where from, and where to."""
        parser.add_argument(
            "address", help="of the release itself: https://…/thigh-tumours-1.0.0, s3://bucket/…, or what fsspec opens"
        )
        parser.add_argument("folder", type=a_path, help="the release's folder here, which is not there yet")
        parser.add_argument("--digest", metavar="HEX", help="the release digest that the publisher names")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Fetches every file, and verifies all of them."""
        from datasets.release.stores.address import read_address
        from datasets.release.stores.fetch import fetch_release

        address = read_address(options["address"])
        done = fetch_release(address, options["folder"], digest=options["digest"], progress_of=self.progress)
        how = "is there already, and sound" if done.was_there else f"is here and sound: {done.files_sent} files came"
        self.say(f"{done.title} {how}. Digest {done.digest}")
        listed = f"{done.errata} errata are listed: read {options['folder'].name}.errata.json."
        return asdict(done), [listed] if done.errata else []
