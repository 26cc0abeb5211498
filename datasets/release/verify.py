"""Verifying a release folder, by the very code that lies as ``verify.py`` in every release (`verification`).

Bad content never raises: it becomes a finding that names the file (its path in the release) or the case and what to do.
"""

from dataclasses import dataclass
from pathlib import Path

from datasets.finding import Finding, Level
from datasets.gate import FastInflating
from datasets.progress import Progress
from datasets.release.manifest_reading import AnyManifest
from datasets.release.verification.checking import Request, Verification, verify
from datasets.release.verification.fault import REMEDY, Fault, fault


@dataclass(frozen=True)
class VerificationReport(Verification):
    """The result of a verification, with its faults as findings."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All deviations from the manifest; empty for a sound release."""
        return tuple(map(finding_of, self.faults))


def verify_release(
    folder: Path,
    *,
    expected_digest: str | None = None,
    seconds: float | None = None,
    state: Path | None = None,
    anew: bool = False,
    seen: AnyManifest | None = None,
    progress: Progress = lambda done, total: None,
) -> VerificationReport:
    """Compares a release folder with its manifest and SHA256SUMS, and its files with each other.

    Args:
        folder: The release's folder; nothing in it is written, and no link in it is followed.
        expected_digest: The release digest that the publisher names, where known: without it a release that was
            changed throughout, lists and all, is taken for another sound release.
        seconds: When to stop; the report says what is left.
        state: A file outside of the release, in which is kept what was seen whole, so that the next call goes on.
        anew: Whether to read again what `state` knows.
        seen: The manifest of a version that was found sound: cases that it holds, too, with the very same files and
            labels, are hashed as all else and not inflated again.
        progress: Called with the bytes done and to do.

    Raises:
        RejectedInput: `state` lies in the release (``state-inside``), or is a file of something else
            (``state-foreign``).
        OSError: `state` cannot be read or written.
    """
    request = Request(expected_digest, seconds, state, anew, seen, FastInflating)
    return VerificationReport(**vars(verify(folder, request, show=progress)))


def error(code: str, message: str, *, subject: str = "", remedy: str = REMEDY) -> Finding:
    """A finding that keeps the release out; names from outside are shown without control characters."""
    return finding_of(fault(code, message, subject=subject, remedy=remedy))


def finding_of(found: Fault) -> Finding:
    """A fault as a finding that keeps the release out."""
    return Finding(Level.ERROR, found.code, found.message, found.remedy, found.subject)
