"""`pack_release`: a release in ZIP archives of a size, or the patch that leads to it from an earlier version."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.publishing.named_release import find_release

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_SIZE = re.compile(r"([0-9]{1,15})\s*([KMG]I?B)?", re.IGNORECASE | re.ASCII)


def a_size(text: str) -> int:
    """Bytes, such as ``2GB`` (2 000 000 000), ``4GiB`` or ``700000000``.

    Raises:
        ArgumentTypeError: It is none, or 0.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or not int(found.group(1)):
        raise ArgumentTypeError("expected a size such as 2GB, 700MB or 4GiB")
    return int(found.group(1)) * _UNITS[(found.group(2) or "").upper()]


class Command(MaskloopCommand):
    """Packs a release, verified first; a folder needs no database."""

    help = "Pack a release into ZIP archives that each open by themselves, or pack only what changed since a version."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The release, the size of a part, and the version that a patch is for."""
        parser.add_argument("release", help="a release's folder, or with --study its name and version")
        parser.add_argument(
            "--out", type=a_path, required=True, metavar="FOLDER", help="a folder that is not there yet"
        )
        parser.add_argument(
            "--study", metavar="NAME", help="the study whose release it is; without it RELEASE is a folder"
        )
        parser.add_argument(
            "--part-size", type=a_size, metavar="SIZE", help="of an archive at most, such as 2GB (default: all in one)"
        )
        parser.add_argument(
            "--against", metavar="FORMER", help="pack a patch: only what this earlier version does not have"
        )

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Verifies the release, and packs it."""
        from datasets.release.archives.pack import pack_release

        folder, digest = find_release(options["release"], options["study"], is_given_away=True)
        former = find_release(options["against"], options["study"])[0] if options["against"] else None
        written = pack_release(
            folder,
            options["out"],
            digest=digest,
            former=former,
            most_bytes=options["part_size"],
            progress_of=self.progress,
        )
        size = sum(each.bytes for each in written)
        self.say(f"{len(written)} archive(s), {size / 1e6:.1f} MB: README.txt there says how to unpack them")
        return {"archives": [asdict(each) for each in written], "bytes": size}, []
