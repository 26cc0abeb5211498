"""Verifies a release's folder: every file against its lists, what files hold, and cases and folds among themselves.

Bad content never raises: it becomes a fault that names the file or the case and what to do.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from datasets.errors import RejectedInput
from datasets.inflating import Inflating
from datasets.release.manifest_reading import AnyManifest
from datasets.release.paths import MANIFEST_NAME, SPLITS_NAME
from datasets.release.verification.cases import case_faults, case_plans, files_seen, licence_faults, split_faults
from datasets.release.verification.contents import Kind
from datasets.release.verification.fault import Fault, fault
from datasets.release.verification.lists import Expected, Listing, read_listing
from datasets.release.verification.placing import misplaced
from datasets.release.verification.pool import Deadline, read_all
from datasets.release.verification.reading import Plan, Reading
from datasets.release.verification.seen import opened_seen
from datasets.release.verification.tree import Tree, read_tree

Show = Callable[[int, int], None]
"""Called with bytes done and bytes to do."""


@dataclass(frozen=True)
class Request:
    """How a release is to be verified.

    Args:
        digest: The release digest that the publisher names; without it a release that was changed throughout, lists
            and all, is taken for another sound release.
        seconds: When to stop; None for never.
        state: A file outside of the release, in which is kept what was seen whole; None to keep nothing.
        anew: Whether to forget what `state` knows.
        seen: The manifest of a version that was found sound: cases that it holds, too, with the very same files and
            labels, are hashed as all else and not inflated again.
        inflating: What inflates files.
    """

    digest: str | None = None
    seconds: float | None = None
    state: Path | None = None
    anew: bool = False
    seen: AnyManifest | None = None
    inflating: type[Inflating] = Inflating


@dataclass(frozen=True)
class Verification:
    """The result of a verification.

    Args:
        faults: All that is wrong; empty for a sound release.
        files: How many files are whole and unchanged.
        bytes: Their size together.
        cases: How many cases the manifest has, 0 where it cannot be believed.
        digest: The manifest's release digest, None where it cannot be believed.
        files_left: How many files there was no time for.
        bytes_left: Their size together.
    """

    faults: tuple[Fault, ...]
    files: int = 0
    bytes: int = 0
    cases: int = 0
    digest: str | None = None
    files_left: int = 0
    bytes_left: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether all was read, and nothing is wrong."""
        return not self.faults and not self.files_left

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "sound": self.is_sound,
            "files": self.files,
            "bytes": self.bytes,
            "cases": self.cases,
            "digest": self.digest,
            "left": {"files": self.files_left, "bytes": self.bytes_left},
            "findings": [each.as_dict() for each in self.faults],
        }


def verify(folder: Path, request: Request, *, show: Show = lambda done, total: None) -> Verification:
    """Verifies a release.

    Args:
        folder: The release's folder; nothing in it is written, and no link in it is followed.
        request: How.
        show: Shows the progress.

    Raises:
        RejectedInput: The state lies in the release, or is a file of something else.
        OSError: The state cannot be written.
    """
    if not folder.is_dir():
        message = "There is no folder of a release here that can be opened."
        return Verification((fault("release-missing", message, remedy="Give the folder's path."),))
    _require_outside(folder, request.state)
    deadline = Deadline(request.seconds)
    tree = read_tree(folder)
    listing = read_listing(folder, tree)
    plans = _plans(tree, listing, request.seen)
    with opened_seen(request.state, anew=request.anew) as seen:
        progress = _progress(tree, plans, show)
        readings = read_all(folder, plans, seen, deadline=deadline, inflating=request.inflating, progress=progress)
    checked = _Checked(folder, tree, listing, plans, readings)
    left = [plan.path for plan in plans if plan.path not in readings]
    manifest = listing.manifest
    return Verification(
        tuple(_faults(checked, request, deadline)),
        files=len(checked.whole),
        bytes=sum(tree.files[path] for path in checked.whole),
        cases=len(manifest.cases) if manifest else 0,
        digest=manifest.release_digest if manifest else None,
        files_left=len(left),
        bytes_left=sum(tree.files[path] for path in left),
    )


@dataclass(frozen=True, eq=False)
class _Checked:
    """A release after its files were read."""

    folder: Path
    tree: Tree
    listing: Listing
    plans: Sequence[Plan]
    readings: Mapping[str, Reading]

    @property
    def listed(self) -> Mapping[str, Expected]:
        """The files by the release's lists."""
        return self.listing.files or {}

    @cached_property
    def file_faults(self) -> dict[str, Fault]:
        """Files that are not as they are listed."""
        judged = {
            path: _file_fault(path, found, self.listed[path], size=self.tree.files[path])
            for path, found in sorted(self.readings.items())
        }
        return {path: found for path, found in judged.items() if found is not None}

    @cached_property
    def whole(self) -> frozenset[str]:
        """Files that are as they are listed."""
        return frozenset(self.readings) - frozenset(self.file_faults)

    def reading_of(self, path: str) -> Reading | None:
        """What came of reading a file that is as it is listed."""
        return self.readings[path] if path in self.whole else None


def _faults(checked: _Checked, request: Request, deadline: Deadline) -> Iterator[Fault]:
    manifest = checked.listing.manifest
    yield from (*checked.tree.faults, *checked.listing.faults, *checked.file_faults.values())
    yield from _gzip_faults(checked)
    if checked.listing.files is not None:
        yield from misplaced(checked.folder, checked.tree, checked.listed, deadline)
    if manifest is not None:
        yield from licence_faults(manifest)
        yield from case_faults(manifest, checked.reading_of)
        yield from split_faults(checked.folder, manifest) if SPLITS_NAME in checked.whole else ()
    digest = manifest.release_digest if manifest else None
    if request.digest not in (None, digest):
        message = f"Expected the release of digest {request.digest}, got {digest or 'none that can be believed'}."
        yield fault("release-digest", message, subject=MANIFEST_NAME)


def _file_fault(path: str, reading: Reading, expected: Expected, *, size: int) -> Fault | None:
    if reading.problem:
        message = f"The file cannot be read ({reading.problem})."
        return fault("file-unreadable", message, subject=path, remedy="Check the disk and the right to read it.")
    if reading.sha256 == expected.sha256:
        if expected.bytes in (None, size):
            return None
        return fault("file-size", f"Expected {expected.bytes} bytes, got {size}.", subject=path)
    if expected.bytes is not None and size < expected.bytes:
        return fault("file-truncated", f"Expected {expected.bytes} bytes, got {size}.", subject=path)
    message = f"Expected SHA-256 {expected.sha256[:12]}…, got {reading.sha256[:12]}…: its bytes were changed."
    return fault("file-changed", message, subject=path)


def _gzip_faults(checked: _Checked) -> Iterator[Fault]:
    """What is wrong inside compressed files that are no case's."""
    for path in (plan.path for plan in checked.plans if plan.kind is Kind.GZIP):
        reading = checked.reading_of(path)
        if reading is not None and reading.refusal is not None:
            yield fault(reading.refusal.code, reading.refusal.message, subject=path, remedy=reading.refusal.remedy)


def _plans(tree: Tree, listing: Listing, seen: AnyManifest | None) -> list[Plan]:
    """The files that are listed and there, in order, and what each is read for."""
    manifest = listing.manifest
    of_cases = case_plans(manifest) if manifest else {}
    known = files_seen(manifest, seen) if manifest and seen else frozenset[str]()
    plans = []
    for path in sorted(set(listing.files or ()) & set(tree.files)):
        plan = of_cases.get(path) or Plan(path, Kind.GZIP if path.endswith(".gz") else Kind.PLAIN)
        plans.append(Plan(path) if path in known else plan)
    return plans


def _progress(tree: Tree, plans: Sequence[Plan], show: Show) -> Callable[[Plan], None]:
    total, done = sum(tree.files[plan.path] for plan in plans), 0

    def add(plan: Plan) -> None:
        nonlocal done
        done += tree.files[plan.path]
        show(done, total)

    return add


def _require_outside(folder: Path, state: Path | None) -> None:
    if state is not None and folder.resolve() in state.resolve().parents:
        raise RejectedInput(
            "state-inside",
            "The file given for the state lies in the release, which never changes.",
            remedy="Give a path outside of it.",
        )
