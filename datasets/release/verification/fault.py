"""A fault of a release: what is wrong with it, where, and what to do."""

from dataclasses import asdict, dataclass

REMEDY = "Fetch the release again from its publisher."


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a release.

    Args:
        code: Stable identifier in kebab-case.
        message: What was found, in plain English; "Expected X, got Y" where a value is meant.
        subject: The file by its path in the release, or the case by its code; empty for the whole.
        remedy: What the person can do.
    """

    code: str
    message: str
    subject: str
    remedy: str

    def as_dict(self) -> dict[str, str]:
        """Plain values for JSON, as of every finding."""
        return {"level": "error", **asdict(self)}

    def __str__(self) -> str:
        return f"{self.subject + ': ' if self.subject else ''}{self.message} {self.remedy} [{self.code}]"


def fault(code: str, message: str, *, subject: str = "", remedy: str = REMEDY) -> Fault:
    """A fault; names from outside are shown without control characters."""
    return Fault(code, message, printable(subject), remedy)


def printable(name: str) -> str:
    """A name for people's eyes: control characters, direction marks and undecodable bytes become escapes."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in name)
