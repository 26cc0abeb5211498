"""Exports a release: verified first, written beside its place, moved there when whole.

The same release and options give the same bytes: nothing names a day, a machine or a person.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.files import flush_to_disk, write_bytes
from datasets.finding import Finding
from datasets.part_folder import part_folder, place_part
from datasets.progress import Progress
from datasets.release.exports.formats import ExportFormat
from datasets.release.exports.options import ExportOptions
from datasets.release.exports.prepared import PreparedExport
from datasets.release.exports.selection import Selection, select
from datasets.release.exports.source import ReleaseSource
from datasets.release.exports.texts import export_texts


@dataclass(frozen=True)
class PlannedExport:
    """An export whose cases and images are settled; nothing of it is written yet.

    Args:
        form: The format.
        selection: What is exported.
        prepared: What the format makes of it.
    """

    form: ExportFormat
    selection: Selection
    prepared: PreparedExport

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is not in the export as it is in the release."""
        return (*self.selection.findings, *self.prepared.findings)


def plan_export(source: ReleaseSource, form: ExportFormat, options: ExportOptions) -> PlannedExport:
    """Settles what an export holds; writes nothing.

    Args:
        source: A release (`datasets.release.exports.source.open_release`).
        form: The format.
        options: A person's.

    Raises:
        RejectedInput: As `select`, or the format cannot hold the release.
    """
    selection = select(source, options, needs_all_images=form.needs_all_images)
    return PlannedExport(form, selection, form.prepare(selection, options))


def write_export(
    plan: PlannedExport, folder: Path, *, progress: Progress = lambda done, total: None
) -> tuple[Finding, ...]:
    """Writes a planned export, whole or not at all; one case is in memory at a time.

    Args:
        plan: What is written.
        folder: Where to; must not exist, nor lie inside the release.
        progress: Called after each case.

    Returns:
        What is not in the export as it is in the release.

    Raises:
        RejectedInput: Something lies there (``export-exists``), or it is inside the release (``export-in-release``).
    """
    _refuse_place(folder, plan.selection.source.folder)
    with part_folder(folder.absolute().parent) as part:
        findings = (*plan.findings, *plan.prepared.write(part, progress))
        texts = export_texts(plan.form.title, plan.form.name, plan.selection, prepared=plan.prepared, findings=findings)
        for name, content in texts.items():
            write_bytes(part / name, content)
        flush_to_disk(part)
        try:
            place_part(part, folder.absolute())
        except OSError as error:  # another export may have come first
            if part.exists() and os.path.lexists(folder):
                raise _exists() from error
            raise
    return findings


def _refuse_place(folder: Path, release: Path) -> None:
    if os.path.lexists(folder):
        raise _exists()
    if folder.resolve().is_relative_to(release.resolve()):
        raise RejectedInput(
            "export-in-release",
            "The export would lie inside the release, which never changes.",
            remedy="Name a folder beside it with --out.",
        )


def _exists() -> RejectedInput:
    return RejectedInput(
        "export-exists",
        "Something lies at the place of the export already.",
        remedy="Name a folder that is not there yet with --out.",
    )
