"""`check_protocol`: names every fault of a protocol's document."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from datasets.study.protocol_document import check_document
from datasets.study.shipped_protocols import protocol_text, shipped_names


class Command(MaskloopCommand):
    """Reads a protocol's document; each fault is told with its line and remedy."""

    help = "Check a protocol's document and name every fault with its line."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Adds the document."""
        parser.add_argument("file", help=f"a TOML document, or one that comes along: {', '.join(shipped_names())}")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Checks the document."""
        protocol, faults = check_document(protocol_text(options["file"]))
        document: dict[str, Any] = {"details": [fault.as_dict() for fault in faults]}
        if protocol is not None:
            document |= {"name": protocol.name, "version": protocol.version, "digest": protocol.digest}
            self.say(f"{protocol.name} {protocol.version}: {protocol.title}")
            for image in protocol.images:
                drawn = ", drawn on" if image.name in protocol.drawn_roles else ""
                self.say(f"  {image.name}: {image.title}, {'required' if image.is_required else 'optional'}{drawn}")
            self.say(f"  labels: {', '.join(f'{label.name} ({label.value})' for label in protocol.labels)}")
        return document, [str(fault) for fault in faults]
