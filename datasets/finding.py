"""A finding of a check: how serious it is, what was found, and what to do (after nibabel's batteries)."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious a finding is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One thing a check found; carries no patient data.

    Args:
        level: How serious it is; an error keeps the file, series or case out.
        code: Stable identifier in kebab-case.
        message: What was found, in plain English; "Expected X, got Y" where a value is meant.
        remedy: What the person can do.
        subject: The file, series or case concerned, in Maskloop's own names (a case code, "file 17"), never a path or a
            patient.
    """

    level: Level
    code: str
    message: str
    remedy: str
    subject: str = ""

    def as_dict(self) -> dict[str, str]:
        """Plain values for JSON."""
        return {key: str(value) for key, value in asdict(self).items()}

    def __str__(self) -> str:
        return f"{self.subject + ': ' if self.subject else ''}{self.message} {self.remedy} [{self.code}]"
