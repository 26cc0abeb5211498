"""De-identifies a folder of studies into another folder, file by file; objects held back are reported."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

from curation.deidentification.instance import Deidentified, deidentify, written_bytes
from curation.deidentification.policy.attributes import allowed_sop_classes
from curation.deidentification.policy.policy import Policy
from curation.deidentification.report import REPORT_NAME, FolderReport, SeriesReport
from datasets.dicom.file import looks_like_dicom, read_dataset, text
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, write_bytes
from datasets.finding import Finding, Level
from datasets.progress import Progress


def deidentify_folder(
    source: Path,
    target: Path,
    policy: Policy,
    *,
    key: bytes,
    code_of: Callable[[str], str],
    progress: Progress | None = None,
    dry_run: bool = False,
) -> FolderReport:
    """De-identifies every DICOM file below a folder; nothing else is copied.

    A file becomes ``<patient code>/<study>/<series>/<object>.dcm``, named by the new UIDs, whole or not at all. The
    report is written beside the patients' folders. Run again, it gives the same bytes.

    Args:
        source: Studies, nested as they are; only read. Links are not followed, hidden files are ignored.
        target: Empty, or the target of an earlier run with the same policy; created if absent.
        policy: Which options of the profile apply.
        key: The installation's key.
        code_of: Gives the code of the patient with a hospital identifier.
        progress: Called with (files done, files).
        dry_run: Only look and report.

    Raises:
        RejectedInput: No such source (``folder-absent``), one folder lies in the other (``folders-overlap``), or the
            target holds something else (``target-not-empty``).
    """
    _require_folders(source, target, policy)
    paths = sorted(_files(source), key=lambda path: path.relative_to(source).as_posix())
    work = _FolderWork(FolderReport(policy), None if dry_run else target, key, code_of)
    for number, path in enumerate(paths, start=1):
        work.take(path, number)
        if progress is not None:
            progress(number, len(paths))
    if not dry_run:
        work.report.write(target)
    return work.report


class _FolderWork:
    """De-identifies files one after the other and gathers the report."""

    def __init__(self, report: FolderReport, target: Path | None, key: bytes, code_of: Callable[[str], str]) -> None:
        self.report = report
        self.target = target
        self.key = key
        self.code_of = code_of
        self.digests: dict[Path, str] = {}

    def take(self, path: Path, number: int) -> None:
        """One file: written, skipped, or reported in a finding."""
        try:
            if not stat.S_ISREG(path.lstat().st_mode) or not looks_like_dicom(path):
                self.report.other_files += 1
                return
            self._leave(path)
        except RejectedInput as error:
            self.report.hold_back(number, Finding(Level.WARNING, error.code, error.message, error.remedy))
        except OSError as error:
            message = f"The file cannot be read or written ({type(error).__name__})."
            remedy = "Check the permissions and the space on the disk."
            self.report.hold_back(number, Finding(Level.ERROR, "file-unreadable", message, remedy))

    def _leave(self, path: Path) -> None:
        dataset = read_dataset(path)
        patient_id = text(dataset, "PatientID")
        if not patient_id:
            raise RejectedInput(
                "dicom-no-patient",
                "The object has no patient identifier: nobody can say which patient code belongs to it.",
                remedy="Export the object from the archive again, or give it an identifier.",
            )
        done = deidentify(dataset, self.report.policy, key=self.key, patient_code=self.code_of(patient_id))
        content = written_bytes(done)
        if self._is_new(done.place, sha256_of_bytes(content)):
            if self.target is not None:
                write_bytes(self.target / done.place, content)
            self._tell(done)

    def _is_new(self, place: Path, digest: str) -> bool:
        known = self.digests.get(place)
        if known == digest:
            self.report.copies += 1
        elif known is not None:
            raise RejectedInput(
                "dicom-uid-twice",
                "Two objects of one UID differ in content.",
                remedy="Find out which of the two is right, and remove the other.",
            )
        self.digests[place] = digest
        return known is None

    def _tell(self, done: Deidentified) -> None:
        place = done.place
        sop_class = allowed_sop_classes()[text(done.dataset, "SOPClassUID")]
        series = self.report.series.setdefault(place.parent, SeriesReport(place.parent, sop_class))
        series.add(place.name, done.actions)


def _require_folders(source: Path, target: Path, policy: Policy) -> None:
    if not source.is_dir():
        raise RejectedInput("folder-absent", "There is no such folder of studies.", remedy="Check the path given.")
    inner, outer = target.resolve(), source.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise RejectedInput(
            "folders-overlap",
            "One of source and target lies inside the other.",
            remedy="Give a target folder elsewhere.",
        )
    if target.exists() and (
        not target.is_dir() or (any(target.iterdir()) and _earlier_policy(target) != policy.as_dict())
    ):
        raise RejectedInput(
            "target-not-empty",
            "The target is neither empty nor that of an earlier run with the same options.",
            remedy="Give an empty folder.",
        )


def _earlier_policy(target: Path) -> object:
    try:
        return json.loads((target / REPORT_NAME).read_text(encoding="utf-8"))["policy"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _files(folder: Path) -> list[Path]:
    found = []
    for root, folders, names in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(root, name) for name in names if not name.startswith(".")]
    return found
