"""Compares two versions of a release: which cases came and left, and what changed in those that both hold."""

from pathlib import Path

from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.progress import Progress
from datasets.release.comparing.case_comparison import compared_case, field_changes
from datasets.release.comparing.change_pictures import picture_place
from datasets.release.comparing.changes import CaseChange, FieldChange, LeftCase, ReleaseComparison
from datasets.release.comparing.matching import matched
from datasets.release.comparing.opened import OpenedRelease
from datasets.release.comparing.opened_case import OpenedCase
from datasets.release.manifest_1 import Manifest1


def compare_releases(old: Path, new: Path, *, progress: Progress = lambda done, total: None) -> ReleaseComparison:
    """What changed from one version to another; one case is in memory at a time, beside the pictures.

    A case's files that are not as they are listed become a finding, and the rest goes on.

    Args:
        old: The folder of the one.
        new: The folder of the other, of the same or of another schema.
        progress: Called after each case that both hold.

    Raises:
        RejectedInput: A folder is none of a release (``release-missing``), or its lists cannot be believed
            (``release-unsound``).
    """
    before, now = OpenedRelease.in_folder(old), OpenedRelease.in_folder(new)
    found = matched(before, now)
    changed: list[CaseChange] = []
    findings: list[Finding] = []
    for number, (old_case, new_case) in enumerate(found.pairs, start=1):
        pair = OpenedCase(before, old_case), OpenedCase(now, new_case)
        try:
            change = compared_case(*pair, place=picture_place(number, new_case.case))
        except RejectedInput as refusal:
            text = f"The case could not be compared: {refusal.message}"
            findings.append(Finding(Level.ERROR, refusal.code, text, refusal.remedy, new_case.case))
        else:
            changed += [change] if change.is_renamed or change.is_other else []
        progress(number, len(found.pairs))
    withdrawn = set(now.manifest.withdrawn)
    return ReleaseComparison(
        before.version,
        now.version,
        tuple(_release_changes(before, now)),
        tuple(case.case for case in found.came),
        tuple(LeftCase(case.case, case.case in withdrawn) for case in found.left),
        tuple(changed),
        tuple(findings),
    )


def _release_changes(old: OpenedRelease, new: OpenedRelease) -> list[FieldChange]:
    return list(field_changes(_words(old), _words(new)))


def _words(release: OpenedRelease) -> dict[str, str]:
    manifest = release.manifest
    protocol = None if isinstance(manifest, Manifest1) else manifest.protocol
    return {
        "licence": str(manifest.licence),
        "schema": manifest.schema,
        "protocol": f"{protocol.name}, version {protocol.version}" if protocol else "",
        "labels": ", ".join(f"{value}: {name}" for value, name in sorted(release.labels.items())),
        "images": ", ".join(f"{role} ({modality})" for role, modality in release.modalities.items()),
    }
