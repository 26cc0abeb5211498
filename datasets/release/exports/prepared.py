"""An export that is settled and not yet written: what a format makes of a selection."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets.finding import Finding
from datasets.progress import Progress


@dataclass(frozen=True)
class PreparedExport:
    """What a format is going to write.

    Args:
        write: Writes it into an empty folder, one case at a time; called with the folder and the progress, it returns
            what is found on the way.
        loading: How its readers load it: plain sentences and commands, for its README.
        facts: What a reader has to know to come back to the release, as plain values.
        findings: What the format could not take over, or took over in another way.
    """

    write: Callable[[Path, Progress], Sequence[Finding]]
    loading: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
