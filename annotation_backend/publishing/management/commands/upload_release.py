"""`upload_release`: a release published to a folder, S3 or another store."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.publishing.named_release import find_release


class Command(MaskloopCommand):
    """Publishes a release, verified before and after; a folder needs no database."""

    help = "Publish a release to a folder, a bucket of S3 or another store, from where anybody can fetch and verify it."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The release, and where to."""
        parser.add_argument("release", help="a release's folder, or with --study its name and version")
        parser.add_argument(
            "address",
            help="where releases are kept: a folder, s3://bucket/path, or what fsspec opens; no password in it",
        )
        parser.add_argument(
            "--study", metavar="NAME", help="the study whose release it is; without it RELEASE is a folder"
        )
        parser.add_argument("--digest", metavar="HEX", help="the release digest that was written down elsewhere")
        parser.add_argument("--dry-run", action="store_true", help="only verify the release and say what would be sent")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Verifies the release, sends it, and reads it back."""
        from datasets.release.stores.address import read_address
        from datasets.release.stores.lists import sound_release
        from datasets.release.stores.published_lists import upload_lists
        from datasets.release.stores.upload import upload_release

        address = read_address(options["address"])
        folder, recorded = find_release(options["release"], options["study"], is_given_away=True)
        digest = options["digest"] or recorded
        if options["dry_run"]:
            lists = sound_release(folder, digest=digest, progress=self.progress("verifying byte"))
            size = sum(map(lists.size_of, lists.files))
            self.say(f"{lists.title}: {len(lists.files)} files, {size / 1e6:.1f} MB would go to {address}")
            return {"release": lists.title, "digest": lists.digest, "files": len(lists.files), "bytes": size}, []
        done = upload_release(folder, address, digest=digest, progress_of=self.progress)
        beside = upload_lists(folder, address)
        how = "is there already" if done.was_there else f"is published: {done.files_sent} files were sent"
        self.say(f"{done.title} {how}. Digest {done.digest}")
        self.say(f"Anybody who may read it fetches it: fetch_release {address.below(done.title)} {done.title}")
        return {**asdict(done), "address": str(address.below(done.title)), "beside": list(beside)}, []
