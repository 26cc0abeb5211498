"""The files of a release that are neither image nor mask nor record, each by its path."""

from collections.abc import Sequence
from pathlib import Path

from datasets.files import canonical_json
from datasets.pages.svg_file import svg_file
from datasets.release.describing import convert
from datasets.release.describing.card.markdown import as_markdown
from datasets.release.describing.card.page import as_page
from datasets.release.describing.card.sections import dataset_card
from datasets.release.describing.case_facts import facts_of
from datasets.release.describing.case_table import case_table, image_table, patient_table
from datasets.release.describing.changes import (
    change_document,
    change_log,
    changes_since,
    former_changes,
    former_manifest,
)
from datasets.release.describing.metadata.bids import bids_texts
from datasets.release.describing.metadata.citation_file import citation_file
from datasets.release.describing.metadata.croissant import croissant
from datasets.release.describing.metadata.datacite import datacite_record
from datasets.release.describing.metadata.monai import monai_list
from datasets.release.describing.splits import suggested_splits
from datasets.release.manifest import CaseEntry
from datasets.release.manifest_parts import FileEntry, file_entry
from datasets.release.paths import (
    CARD_NAME,
    CHANGES_DOCUMENT_NAME,
    CHANGES_NAME,
    CITATION_NAME,
    CONVERTER_NAME,
    CROISSANT_NAME,
    DATACITE_NAME,
    IMAGES_NAME,
    LICENCE_NAME,
    MONAI_NAME,
    PAGE_NAME,
    PATIENTS_NAME,
    PROTOCOL_NAME,
    SPLITS_NAME,
    TABLE_NAME,
    VERIFY_NAME,
)
from datasets.release.settings import ReleaseSettings
from datasets.release.verification.script import script


def release_texts(
    settings: ReleaseSettings,
    entries: Sequence[CaseEntry],
    files: Sequence[FileEntry],
    *,
    folder: Path,
    former: Path | None = None,
) -> dict[str, bytes]:
    """Every file that is not a case's, by its path.

    Args:
        settings: Name, licence and texts of the release.
        entries: Its cases.
        files: Entries of the cases' files.
        folder: Where the cases' files lie.
        former: The folder of the version before, with which the change log compares this one.

    Raises:
        OSError: A case's record cannot be read.
    """
    splits = suggested_splits(settings, entries)
    before = former_manifest(former)
    changes = changes_since(before, settings, entries, splits=splits.encode())
    history = (changes, *(former_changes(former) if before else ()))
    size = sum(file.bytes for file in files)
    texts: dict[str, bytes | None] = {
        TABLE_NAME: case_table(entries, list(settings.labels.values()), splits.number_of),
        IMAGES_NAME: image_table(entries, files, splits.number_of),
        PATIENTS_NAME: patient_table(entries),
        SPLITS_NAME: splits.encode(),
        LICENCE_NAME: _licence(settings),
        PROTOCOL_NAME: canonical_json(settings.design.as_document()) if settings.design else None,
        CHANGES_NAME: change_log(history),
        CHANGES_DOCUMENT_NAME: change_document(history),
        DATACITE_NAME: datacite_record(settings, cases=len(entries), size=size),
        CITATION_NAME: citation_file(settings),
        MONAI_NAME: monai_list(settings, entries, splits.number_of),
        CONVERTER_NAME: Path(convert.__file__).read_bytes(),
        VERIFY_NAME: script(),
        **bids_texts(settings),
    }
    found = {path: content for path, content in texts.items() if content is not None}
    facts = facts_of(folder, entries)
    card = dataset_card(settings, facts, splits=splits, changes=changes, files={*found, CROISSANT_NAME})
    found |= {figure.path: svg_file(figure.drawing) for figure in card.figures}
    found |= {CARD_NAME: as_markdown(card), PAGE_NAME: as_page(card)}
    listed = [file_entry(path, content) for path, content in sorted(found.items())]
    return found | {CROISSANT_NAME: croissant(settings, listed, folds=len(splits.folds))}


def _licence(settings: ReleaseSettings) -> bytes:
    text = f"SPDX-License-Identifier: {settings.licence}\n"
    return (text + (f"\n{settings.licence_text.strip()}\n" if settings.licence_text.strip() else "")).encode()
