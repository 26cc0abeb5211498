"""What a release's texts know of each case: its entry, and from its record grey values, scanners, readers and models.

Records are read one after the other from the folder that is being written, so that cases that were taken over from an
earlier version are described like new ones. A record says what it says: what it lacks is left out of the tables.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets.release.manifest import CaseEntry
from datasets.release.records import GREY_VALUES, OURS, PROVENANCE
from datasets.study.grey_values import GreyValues

ACQUISITION = "acquisition"
"""In a provenance: by role, how the image was acquired (`datasets.study.acquisition`)."""

AGREEMENT = "agreement"
"""In a provenance: how far its readers' masks were the same, by the measure's name, and how many ``readers`` drew."""

MODELS = "models"
"""In a provenance: the models that drew for its annotators, each as text, or with ``name`` and ``version``."""

STAGES = "stages"
"""In a provenance: the stages that the case passed, each as text, or with ``name``."""

REGISTRATIONS = "registrations"
"""In a provenance: by role, the verdict on its registration as text, or with ``verdict``."""


@dataclass(frozen=True)
class CaseFacts:
    """A case as the texts know it.

    Args:
        entry: Its entry in the manifest.
        grey: Grey values of its images by role.
        acquisition: By role, how each image was acquired.
        agreement: Its readers' agreement by measure.
        models: Names of the models that drew for it.
        stages: Names of the stages that it passed.
        registrations: By role, the verdict on the registration.
    """

    entry: CaseEntry
    grey: Mapping[str, GreyValues] = field(default_factory=dict)
    acquisition: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    agreement: Mapping[str, float] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    registrations: Mapping[str, str] = field(default_factory=dict)


def facts_of(folder: Path, entries: Iterable[CaseEntry]) -> list[CaseFacts]:
    """Reads the record of each case.

    Args:
        folder: Where the release lies or is being written.
        entries: Its cases.

    Raises:
        OSError: A record cannot be read.
    """
    return [case_facts(entry, json.loads((folder / entry.record).read_bytes())) for entry in entries]


def case_facts(entry: CaseEntry, record: Any) -> CaseFacts:
    """What a record says, as far as it is of the form that we write.

    Args:
        entry: The case's entry.
        record: The JSON beside its mask.
    """
    ours = _table(_table(record).get(OURS))
    provenance = _table(ours.get(PROVENANCE))
    return CaseFacts(
        entry,
        grey={role: GreyValues.from_dict(value) for role, value in _table(ours.get(GREY_VALUES)).items()},
        acquisition={role: _table(value) for role, value in _table(provenance.get(ACQUISITION)).items()},
        agreement=_numbers(provenance.get(AGREEMENT)),
        models=_names(provenance.get(MODELS)),
        stages=_names(provenance.get(STAGES)),
        registrations=_verdicts(provenance.get(REGISTRATIONS)),
    )


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _numbers(value: Any) -> dict[str, float]:
    numbers = {name: each for name, each in _table(value).items() if isinstance(each, int | float)}
    return {name: float(each) for name, each in numbers.items() if not isinstance(each, bool)}


def _names(value: Any) -> tuple[str, ...]:
    """Names of a list of texts, or of tables with a name and perhaps a version; each once, in their order."""
    found = []
    for each in value if isinstance(value, list) else []:
        named = _table(each)
        parts = [each] if isinstance(each, str) else [named.get("name"), named.get("version")]
        name = " ".join(str(part) for part in parts if part not in (None, ""))
        found += [name] if name else []
    return tuple(dict.fromkeys(found))


def _verdicts(value: Any) -> dict[str, str]:
    found = {role: _table(each).get("verdict", each) for role, each in _table(value).items()}
    return {role: verdict for role, verdict in found.items() if isinstance(verdict, str)}
