"""The card's part for whoever finds a fault: where errata are listed, and a document that reports one."""

import json

from datasets.release.describing.card.blocks import Block, Commands, Paragraph, words
from datasets.release.paths import ERRATA_ENDING, ERRATUM_SCHEMA, MANIFEST_NAME, TABLE_NAME, TOMBSTONE_ENDING
from datasets.release.settings import ReleaseSettings


def errata_blocks(settings: ReleaseSettings) -> tuple[Block, ...]:
    """Where faults are listed that were found later, and how to report one.

    Args:
        settings: The release's.
    """
    folder, publication = f"{settings.name}-{settings.version}", settings.publication
    listed = words(
        "A published release never changes. Faults that were found later are listed where it was published, beside its "
        f"folder, in `{folder}{ERRATA_ENDING}`; cases that were withdrawn and must be deleted, in "
        f"`{folder}{TOMBSTONE_ENDING}`."
    )
    page = f" That is {publication.address}." if publication.address else ""
    to = f"to {publication.contact}" if publication.contact else "to whoever gave you the release"
    fill = (
        f" of this form; `release_digest` stands in `{MANIFEST_NAME}`, the case's code in `{TABLE_NAME}`. `part` is "
        "mask, label, image or words; `slices` may be left out. Name nobody, neither yourself nor a patient."
    )
    return (
        Paragraph((*listed, page) if page else listed),
        Paragraph((f"To report a wrong mask, send {to} a document", *words(fill))),
        Commands(tuple(json.dumps(_example(settings), indent=2, ensure_ascii=False).splitlines())),
    )


def _example(settings: ReleaseSettings) -> dict[str, object]:
    return {
        "schema": ERRATUM_SCHEMA,
        "release": settings.name,
        "version": settings.version,
        "release_digest": "…",
        "case": "sub-…_ses-…",
        "part": "mask",
        "slices": [12, 13],
        "text": "The mask leaves out the lower part.",
    }
