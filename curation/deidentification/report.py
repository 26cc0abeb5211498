"""The report of a folder's de-identification: the action on each attribute of each file, and the files held back.

It carries patient codes, new UIDs' short names, tags and counts; no value of any attribute, no path and no name of the
source. Files of a series with the same actions stand together. The same studies give the same report.
"""

import csv
import io
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from curation.deidentification.actions_done import ActionDone
from curation.deidentification.policy.policy import Policy
from datasets.files import write_bytes, write_json
from datasets.finding import Finding

REPORT_NAME, TABLE_NAME = "deidentification.json", "deidentification.csv"

_COLUMNS = ("patient", "study", "series", "sop_class", "tag", "keyword", "done", "why", "files", "times")

Actions = tuple[tuple[ActionDone, int], ...]


@dataclass
class SeriesReport:
    """The actions on one series.

    Args:
        folder: Patient code, study and series: its place below the target.
        sop_class: Name of the SOP class of its first file.
        files: File names by their actions, each with its number of times in each file.
    """

    folder: Path
    sop_class: str
    files: dict[Actions, list[str]] = field(default_factory=dict)

    def add(self, name: str, actions: tuple[ActionDone, ...]) -> None:
        """Adds one file."""
        counted = tuple(sorted(Counter(actions).items()))
        self.files.setdefault(counted, []).append(name)

    @property
    def file_count(self) -> int:
        """Number of files of the series."""
        return sum(map(len, self.files.values()))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        alike = sorted(self.files.items(), key=lambda pair: sorted(pair[1]))
        return {
            "folder": self.folder.as_posix(),
            "sop_class": self.sop_class,
            "file_count": self.file_count,
            "done_alike": [
                {"files": sorted(names), "actions": [action.as_row() | {"times": times} for action, times in actions]}
                for actions, names in alike
            ],
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row for each attribute and action, over all files of the series."""
        files: Counter[ActionDone] = Counter()
        times: Counter[ActionDone] = Counter()
        for actions, names in self.files.items():
            for action, count in actions:
                files[action] += len(names)
                times[action] += count * len(names)
        patient, study, series = self.folder.parts
        place = {"patient": patient, "study": study, "series": series, "sop_class": self.sop_class}
        return [place | action.as_row() | {"files": files[action], "times": times[action]} for action in sorted(files)]


@dataclass
class FolderReport:
    """The actions on a folder.

    Args:
        policy: The options that applied.
        series: By place.
        held_back: Findings about files in quarantine or unreadable, to the files' places in the order of their paths.
        other_files: How many files are no DICOM; they are not copied.
        copies: How many files were a second copy of another.
    """

    policy: Policy
    series: dict[Path, SeriesReport] = field(default_factory=dict)
    held_back: dict[Finding, list[int]] = field(default_factory=dict)
    other_files: int = 0
    copies: int = 0

    @property
    def file_count(self) -> int:
        """Number of files that were written."""
        return sum(series.file_count for series in self.series.values())

    def hold_back(self, number: int, reason: Finding) -> None:
        """Adds a file that is held back."""
        self.held_back.setdefault(reason, []).append(number)

    @property
    def findings(self) -> list[Finding]:
        """One finding for each reason, naming the first file and the number of others."""
        return [replace(reason, subject=_subject(numbers)) for reason, numbers in self.held_back.items()]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "policy": self.policy.as_dict(),
            "file_count": self.file_count,
            "other_files": self.other_files,
            "copies": self.copies,
            "held_back": [reason.as_dict() | {"files": numbers} for reason, numbers in self.held_back.items()],
            "series": [self.series[place].as_dict() for place in sorted(self.series)],
        }

    def write(self, folder: Path) -> None:
        """Writes the report beside the patients' folders, as JSON and as a table."""
        write_json(folder / REPORT_NAME, self.as_dict())
        table = io.StringIO()
        writer = csv.DictWriter(table, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        for place in sorted(self.series):
            writer.writerows(self.series[place].rows())
        write_bytes(folder / TABLE_NAME, table.getvalue().encode())


def _subject(numbers: list[int]) -> str:
    others = f" and {len(numbers) - 1} others" if len(numbers) > 1 else ""
    return f"file {numbers[0]}{others}"
