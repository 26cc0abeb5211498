"""Which label of a protocol each label of a published dataset means: by its name, or as a person says.

Nothing is dropped unless a person says so: a label that means none of the study's is refused before anything is read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from curation.scanning.laid_out import MaskMeaning
from curation.scanning.source_roles import plain_name
from datasets.errors import RejectedInput
from datasets.labels.label_values import PLAIN_VALUES, is_generic_name, names_several, region_called
from datasets.public.dataset import FoundBy, SourceDataset, SourceMask
from datasets.study.protocol import Protocol

ALL_OTHERS = "*"
"""In place of a label's name: every label that means none of the study's; it can only be left out."""

_MOST_LISTED = 20
_SAFE_WORDS = frozenset(
    {
        *("gtv", "ctv", "ptv", "mass", "tumour", "tumor", "lesion", "edema", "oedema", "necrosis", "mask", "seg"),
        *("label", "region", "t1", "t2", "t2fs", "fs", "mr", "ct", "pet"),
    }
)


@dataclass(frozen=True)
class SourceLabels:
    """What a dataset's labels mean in the study.

    Args:
        meanings: Path of a mask to what its values mean.
        renamed: Name of a region of a structure set, as `plain_name` writes it, to the label; empty where it was left
            out.
        by_name: Name of each label to the study's; empty where it was left out. For reports, where names may be shown.
    """

    meanings: Mapping[str, MaskMeaning] = field(repr=False)
    renamed: Mapping[str, str] = field(repr=False)
    by_name: Mapping[str, str] = field(repr=False)


def labels_of_source(
    dataset: SourceDataset, protocol: Protocol, said: Mapping[str, str] | None = None, *, are_names_shown: bool = False
) -> SourceLabels:
    """What each value and region means.

    Args:
        dataset: The dataset.
        protocol: Whose labels.
        said: Name or value of a label to the study's label, as a person gave it; an empty one leaves it out.
            `ALL_OTHERS` stands for those that mean none.
        are_names_shown: Whether the dataset's names may be shown.

    Raises:
        RejectedInput: ``label-unknown`` (a person named none of the study's labels), ``source-label-absent`` (none of
            the dataset's), ``source-label-unknown`` (a label means none of the study's) or ``source-labels-one``
            (several of one mask mean one, and nobody said so).
    """
    reading = _Reading(dataset, protocol, said or {})
    reading.require_used()
    if unknown := reading.unknown():
        raise _unknown(unknown, reading.unnamed(), protocol, are_names_shown=are_names_shown)
    reading.require_apart()
    return SourceLabels(
        {mask.path: reading.meaning(mask) for mask in reading.label_maps()},
        reading.renamed(),
        {name: reading.meant(value, name) or "" for value, name in reading.all_labels()},
    )


class _Reading:
    """The labels of a dataset beside those of a protocol, with what a person said."""

    def __init__(self, dataset: SourceDataset, protocol: Protocol, said: Mapping[str, str]) -> None:
        self._dataset = dataset
        self._protocol = protocol
        targets = {plain_name(label.name): label.name for label in protocol.labels}
        if any(target and plain_name(target) not in targets for target in said.values()) or said.get(ALL_OTHERS):
            names = ", ".join(label.name for label in protocol.labels)
            message = "A label that --label gives is none of the study's; all others together can only be left out."
            raise RejectedInput("label-unknown", message, remedy=f"Name one of {names}, or nothing to leave it out.")
        self._said = {plain_name(name): targets.get(plain_name(target), "") for name, target in said.items()}
        self._names = {plain_name(name) for _, name in self.all_labels()}

    def all_labels(self) -> Iterator[tuple[int, str]]:
        """Value and name of every label; regions of structure sets have no value."""
        found = {(value, name): None for mask in self._dataset.masks for value, name in mask.labels.items()}
        yield from found
        yield from dict.fromkeys((0, name) for mask in self._dataset.masks for name in mask.regions)

    def meant(self, value: int, name: str) -> str | None:
        """The study's label; empty for one that a person left out, None where that is a question."""
        for key in filter(None, (plain_name(name), str(value) if value else "")):
            if key in self._said:
                return self._said[key]
        called = self._called(name)
        if called:
            return called
        if self._is_plain(value, name):
            return self._protocol.learned_label.name
        return "" if ALL_OTHERS in self._said else None

    def _called(self, name: str) -> str:
        """The study's label that a name means; empty for none. A protocol may have a very name that sounds like two."""
        labels = self._protocol.labels
        exact = [one.name for one in labels if plain_name(name) in map(plain_name, (one.name, *one.imported_names))]
        if len(exact) == 1 or not name:
            return "".join(exact)
        called = region_called(name, labels)
        return called if called in self._protocol.label_names.values() and not names_several(name, labels) else ""

    def meaning(self, mask: SourceMask) -> MaskMeaning:
        """Of every value that the dataset names, and those that a person named."""
        values = {int(key): "" for key in self._said if key.isdecimal() and 0 < int(key) <= max(PLAIN_VALUES)}
        found = {value: self.meant(value, name) or "" for value, name in (values | dict(mask.labels)).items()}
        return MaskMeaning(
            {value: label for value, label in found.items() if label},
            frozenset(value for value, label in found.items() if not label),
            may_be_empty=mask.may_be_empty,
        )

    def renamed(self) -> dict[str, str]:
        """Regions of structure sets that a person gave another name, or left out; the others keep theirs."""
        names = {plain_name(name): self.meant(0, name) for mask in self._dataset.masks for name in mask.regions}
        return {name: label or "" for name, label in names.items() if name in self._said or not label}

    def label_maps(self) -> Iterator[SourceMask]:
        """The masks in volume files."""
        return (mask for mask in self._dataset.masks if self._dataset.found_by is not FoundBy.HEADER)

    def unnamed(self) -> int:
        """How many label maps there are whose values nothing and nobody names."""
        is_said = any(key.isdecimal() for key in self._said)
        return 0 if is_said else sum(not mask.labels for mask in self.label_maps())

    def unknown(self) -> list[tuple[int, str]]:
        """Labels that mean none of the study's; with an unnamed one where there are `unnamed` label maps."""
        found = [(value, name) for value, name in self.all_labels() if self.meant(value, name) is None]
        return found or ([(0, "")] if self.unnamed() else [])

    def require_used(self) -> None:
        """Refuses names by a person that are none of the dataset's; a value may be one that only its voxels have."""
        known = {str(value) for value, _ in self.all_labels()} | self._names
        for key in set(self._said) - {ALL_OTHERS}:
            if key not in known and not key.isdecimal():
                raise RejectedInput(
                    "source-label-absent",
                    "A label that --label names is none of the dataset's.",
                    remedy="Name it as the dataset does, or by its value.",
                )

    def require_apart(self) -> None:
        """Refuses a mask of which two labels mean one, unless a person said so of both."""
        for mask in self._dataset.masks:
            names: dict[str, dict[str, bool]] = {}
            for value, name in mask.labels.items():
                is_said = bool({plain_name(name), str(value)} & set(self._said))
                names.setdefault(self.meant(value, name) or "", {})[name] = is_said
            for label, found in names.items():
                if label and len(found) > 1 and not all(found.values()):
                    raise RejectedInput(
                        "source-labels-one",
                        f"Several labels of the dataset would be {label.lower()}, some by their names alone.",
                        remedy=f"Say it of each with --label SOURCE={label}, or leave one out with --label SOURCE=.",
                    )

    def _is_plain(self, value: int, name: str) -> bool:
        """Whether it is the dataset's only label, without a name of its own: then it is what models learn."""
        return value in PLAIN_VALUES and len(self._names) == 1 and (not name or is_generic_name(name))


def _is_plain_speech(name: str) -> bool:
    """Whether a region's name holds no word but such as everybody uses, so that it may be shown."""
    return set(re.findall(r"\w+", plain_name(name))) <= _SAFE_WORDS


def _unknown(
    labels: list[tuple[int, str]], unnamed: int, protocol: Protocol, *, are_names_shown: bool
) -> RejectedInput:
    values = [(name if are_names_shown and name else f"value {value}") for value, name in labels if value]
    regions = [name for value, name in labels if not value and name]
    named = [*dict.fromkeys(values)][:_MOST_LISTED]
    named += [name for name in regions if _is_plain_speech(name)][:_MOST_LISTED]
    if others := sum(not _is_plain_speech(name) for name in regions):
        named.append(f"{others} region(s) of structure sets, which any viewer names")
    if unnamed:
        named.append(f"the values of {unnamed} label map(s), which nothing names")
    ours = ", ".join(label.name for label in protocol.labels)
    return RejectedInput(
        "source-label-unknown",
        f"These labels of the dataset mean none of the study's ({ours}): {', '.join(named)}.",
        remedy=(
            f"Say what each means with --label SOURCE={protocol.learned_label.name}, by its name or its value; leave "
            f"one out with --label SOURCE=, all of these with --label '{ALL_OTHERS}='; or give the study a protocol "
            "that has them."
        ),
    )
