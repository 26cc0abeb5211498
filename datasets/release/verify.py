"""Verifying a release folder: every file against the release's lists, then images, masks and folds among themselves.

Bad content never raises: it becomes a finding that names the file (its path in the release) and what to do. Anyone
without Maskloop checks the same bytes with ``sha256sum -c SHA256SUMS``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.finding import Finding
from datasets.formats.nifti import read_grid, read_mask
from datasets.release.former_manifest import FORMER_FOLDERS, FormerCaseEntry
from datasets.release.listing import Expected, Listing, Tree, error, printable, read_listing, read_tree
from datasets.release.manifest import CASES_FOLDER, MANIFEST_NAME, SPLITS_NAME, SUMS_NAME, CaseEntry, Manifest
from datasets.release.manifest_reading import AnyManifest, strict_json


@dataclass(frozen=True)
class VerificationReport:
    """The result of a verification.

    Args:
        findings: All deviations from the manifest; empty for a sound release.
        files: How many files are whole and unchanged.
        bytes: Their size together.
        cases: How many cases the manifest has, 0 where it cannot be believed.
        digest: The manifest's release digest, None where it cannot be believed.
    """

    findings: tuple[Finding, ...]
    files: int
    bytes: int
    cases: int
    digest: str | None

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "sound": self.is_sound,
            "files": self.files,
            "bytes": self.bytes,
            "cases": self.cases,
            "digest": self.digest,
            "findings": [finding.as_dict() for finding in self.findings],
        }


def verify_release(folder: Path, *, expected_digest: str | None = None) -> VerificationReport:
    """Compares a release folder with its manifest and SHA256SUMS.

    Args:
        folder: The release's folder; nothing in it is written, and no link in it is followed.
        expected_digest: The release digest that the publisher names, where known: without it a release that was
            changed throughout, lists and all, is taken for another sound release.
    """
    if not folder.is_dir():
        message = "There is no folder of a release here that can be opened."
        return VerificationReport((error("release-missing", message, remedy="Give the folder's path."),), 0, 0, 0, None)
    tree = read_tree(folder)
    listing = read_listing(folder, tree)
    whole, findings = _compare(folder, tree, listing)
    manifest = listing.manifest
    if manifest is not None:
        findings += [*_case_findings(folder, manifest, whole), *_split_findings(folder, manifest, whole)]
    digest = manifest.release_digest if manifest else None
    if expected_digest not in (None, digest):
        message = f"Expected the release of digest {expected_digest}, got {digest or 'none that can be believed'}."
        findings.append(error("release-digest", message, subject=MANIFEST_NAME))
    return VerificationReport(
        (*tree.findings, *listing.findings, *findings),
        files=len(whole),
        bytes=sum(tree.files[path] for path in whole),
        cases=len(manifest.cases) if manifest else 0,
        digest=digest,
    )


def _compare(folder: Path, tree: Tree, listing: Listing) -> tuple[set[str], list[Finding]]:
    """Paths of the files that are as listed, and findings about all others."""
    if listing.files is None:
        return set(), []
    whole: set[str] = set()
    findings: list[Finding] = []
    for path in sorted(set(listing.files) & set(tree.files)):
        finding = _file_finding(folder / path, path, listing.files[path], size=tree.files[path])
        if finding is None:
            whole.add(path)
        else:
            findings.append(finding)
    lists = {MANIFEST_NAME, SUMS_NAME}  # each is listed, or was judged while it was read
    extra = sorted(set(tree.files) - set(listing.files) - lists)
    missing = sorted(set(listing.files) - set(tree.files))
    return whole, findings + _misplaced(folder, missing, extra, listed=listing.files)


def _file_finding(file: Path, path: str, expected: Expected, *, size: int) -> Finding | None:
    try:
        found = sha256_of_file(file)
    except OSError as problem:
        message = f"The file cannot be read ({type(problem).__name__})."
        return error("file-unreadable", message, subject=path, remedy="Check the disk and the right to read it.")
    if found == expected.sha256:
        if expected.bytes in (None, size):
            return None
        return error("file-size", f"Expected {expected.bytes} bytes, got {size}.", subject=path)
    if expected.bytes is not None and size < expected.bytes:
        return error("file-truncated", f"Expected {expected.bytes} bytes, got {size}.", subject=path)
    message = f"Expected SHA-256 {expected.sha256[:12]}…, got {found[:12]}…: its bytes were changed."
    return error("file-changed", message, subject=path)


def _misplaced(folder: Path, missing: list[str], extra: list[str], *, listed: Mapping[str, Expected]) -> list[Finding]:
    """Missing and extra files; an extra one with a missing one's bytes was renamed."""
    findings = []
    by_digest = {_digest_or_none(folder / path): path for path in extra} if missing else {}
    renamed = set()
    for path in missing:
        other = by_digest.get(listed[path].sha256)
        if other is None or other in renamed:
            findings.append(error("file-missing", "The file is missing.", subject=path))
            continue
        renamed.add(other)
        message = f"The file is missing; its bytes are there under the name {printable(other)!r}."
        findings.append(error("file-renamed", message, subject=path, remedy="Give the file its name back."))
    return findings + [
        error("file-extra", "No list names this file.", subject=path, remedy="Take it out.")
        for path in extra
        if path not in renamed
    ]


def _digest_or_none(file: Path) -> str | None:
    try:
        return sha256_of_file(file)
    except OSError:
        return None


def _case_findings(folder: Path, manifest: AnyManifest, whole: set[str]) -> Iterator[Finding]:
    """Cases without their files, files without a case, and images and masks on different grids."""
    listed = {entry.path for entry in manifest.files}
    own = (CASES_FOLDER,) if isinstance(manifest, Manifest) else FORMER_FOLDERS
    wanted: set[str] = set()
    for case in manifest.cases:
        paths = {*case.image_paths.values(), case.mask_path}
        wanted |= paths
        if not listed.issuperset(paths):
            yield error(
                "case-incomplete",
                "An image or the mask of the case is not among the manifest's files.",
                subject=case.case,
            )
        elif whole.issuperset(paths):
            yield from _grid_finding(folder, case)
            if isinstance(manifest, Manifest):
                yield from _label_finding(folder / case.mask_path, manifest, case.case)
    for path in sorted(path for path in listed - wanted if path.startswith(own)):
        yield error("file-without-case", "The image or mask belongs to no listed case.", subject=path)


def _grid_finding(folder: Path, case: CaseEntry | FormerCaseEntry) -> Iterator[Finding]:
    try:
        grid = read_grid(folder / case.mask_path)
        for role, path in case.image_paths.items():
            grid.require_match(read_grid(folder / path), what=f"The mask and the image {role}")
    except RejectedInput as refusal:
        yield error(refusal.code, refusal.message, subject=case.case, remedy="Ask the publisher for a new version.")


def _label_finding(mask: Path, manifest: Manifest, case: str) -> Iterator[Finding]:
    """Values of a mask that the manifest does not name."""
    try:
        held = set(np.unique(read_mask(mask).data).tolist()) - {0}
    except RejectedInput:
        return  # not a mask at all: said where its grid was read
    unknown = sorted(held - {label.value for label in manifest.labels})
    if unknown:
        message = f"The mask holds values that the manifest does not name: {', '.join(map(str, unknown[:5]))}."
        yield error("mask-labels", message, subject=case, remedy="Ask the publisher for a new version.")


def _split_findings(folder: Path, manifest: AnyManifest, whole: set[str]) -> Iterator[Finding]:
    """Folds that leak a patient, or that do not hold every case once."""
    if SPLITS_NAME not in whole:
        return
    try:
        folds = strict_json((folder / SPLITS_NAME).read_bytes())["folds"]
        held = [str(code) for fold in folds for code in fold]
        patient_of = {case.case: case.patient for case in manifest.cases}
        patients = [{patient_of.get(str(code), "") for code in fold} for fold in folds]
    except (RejectedInput, OSError, KeyError, TypeError):
        yield error("splits-unreadable", "The folds are not lists of case codes.", subject=SPLITS_NAME)
        return
    remedy = "Make folds of your own, and tell the publisher."
    if sorted(held) != sorted(patient_of):
        message = "A case is in no fold or in several."
        yield error("splits-incomplete", message, subject=SPLITS_NAME, remedy=remedy)
    if sum(len(each) for each in patients) != len(set().union(*patients)):
        message = "A patient is in several folds."
        yield error("splits-leak", message, subject=SPLITS_NAME, remedy=remedy)
