"""The meaning of the values in a scan's mask files: the same in all of them, or given; otherwise a person is asked.

A file's own segment names come first, then a person's `--label-values`, then a list of labels in its dataset, then the
values that the study's protocol gives imported labels. Without any of these only a plain mask
speaks for itself: one value, 1 or 255, in every file that is called alike.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.formats.segment_names import segment_names
from datasets.labels.label_values import (
    LABEL_LIST_NAME,
    LABEL_TABLE_ENDING,
    PLAIN_VALUES,
    LabelValues,
    names_several,
    read_label_list,
    region_called,
)
from datasets.labels.stored_values import MOST_VALUES
from datasets.study.protocol import Label

_SAY = (
    "Say it with --label-values, such as --label-values tumour=2,oedema=1, or name the labels in"
    f" {LABEL_LIST_NAME} at the top of the folder, and ingest again."
)
_MOST_LISTED = 5


@dataclass(frozen=True)
class MaskFile:
    """One mask file.

    Args:
        number: Of the file.
        path: The file.
        relative: Below the scanned folder. Never to be shown.
        region: Region by its name; the study's first label where that gives none.
        labels: The labels in it, () for an empty one; None for no label map, which is refused where it is read.
    """

    number: int
    path: Path = field(repr=False)
    relative: PurePath = field(repr=False)
    region: str
    labels: tuple[int, ...] | None


@dataclass(frozen=True)
class MeaningSources:
    """What says the meaning of values.

    Args:
        given: Names by a person; {} for none.
        lists: From `label_lists`.
        labels: The study's.
        roles: The study's images.
    """

    given: LabelValues
    lists: Mapping[PurePath, LabelValues] = field(repr=False)
    labels: tuple[Label, ...]
    roles: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """The labels' names."""
        return frozenset(label.name for label in self.labels)

    @property
    def first(self) -> str:
        """The label that a mask holds which names none: the first that is prompted, or the first of all."""
        return next((label.name for label in self.labels if label.is_prompted), self.labels[0].name)

    @property
    def imported(self) -> dict[int, str]:
        """The values that imported labels have by the protocol."""
        return {value: label.name for label in self.labels for value in label.imported_values}

    def called(self, name: str) -> str:
        """The label that a name means; a name that means none as it is."""
        return region_called(name, self.labels)


@dataclass(frozen=True)
class Meanings:
    """The meaning of the values of each mask file.

    Args:
        labels: Number of a file to the name of each of its values; {} where that is a question.
        findings: The questions, and lists that cannot be read.
    """

    labels: Mapping[int, LabelValues] = field(repr=False)
    findings: tuple[Finding, ...] = ()


def label_lists(folder: Path, present: Iterable[Path]) -> tuple[dict[PurePath, LabelValues], list[Finding]]:
    """The lists of labels below a folder, by their paths below it; one that cannot be read is a finding."""
    lists: dict[PurePath, LabelValues] = {}
    findings: list[Finding] = []
    for number, path in enumerate(present, start=1):
        if path.is_symlink() or not (path.name == LABEL_LIST_NAME or path.name.lower().endswith(LABEL_TABLE_ENDING)):
            continue
        try:
            if labels := read_label_list(path):
                lists[path.relative_to(folder)] = labels
        except RejectedInput as error:
            findings.append(Finding(Level.ERROR, error.code, error.message, error.remedy, f"file {number}"))
    return lists, findings


def meanings_of(masks: Sequence[MaskFile], sources: MeaningSources) -> Meanings:
    """Names the values of all mask files of one scan.

    Args:
        masks: All of them.
        sources: What says their meaning.
    """
    labels: dict[int, LabelValues] = {}
    findings: list[Finding] = []
    unlabelled: list[MaskFile] = []
    for mask in masks:
        own, listed = _segments_of(mask, sources), _listed(mask, sources)
        known = {**listed, **own}
        if not known and names_several(mask.region, sources.labels):
            labels[mask.number] = {}
            findings.append(_names_both(mask, sources))
        elif not known:
            unlabelled.append(mask)
        elif problem := _contradiction(mask, own, listed, sources):
            labels[mask.number] = {}
            findings.append(problem)
        else:
            labels[mask.number] = known
    plain = _plain(unlabelled, sources)
    asked = [mask for mask in unlabelled if not plain[mask.number]]
    question = [_question(unlabelled, asked, sources)] if asked else []
    return Meanings({**labels, **plain}, (*findings, *question))


def _listed(mask: MaskFile, sources: MeaningSources) -> LabelValues:
    """What others than the file say of its values: a person, a list beside it, or the protocol where it knows all."""
    if said := sources.given or _listed_for(mask, sources.lists):
        return {value: sources.called(name) for value, name in said.items()}
    is_known = bool(mask.labels) and set(mask.labels or ()) <= set(sources.imported)
    return sources.imported if is_known else {}


def _segments_of(mask: MaskFile, sources: MeaningSources) -> LabelValues:
    """The file's own names; a header that cannot be read is refused where the mask is."""
    try:
        return {value: sources.called(name) for value, name in segment_names(mask.path).items()}
    except (RejectedInput, OSError):
        return {}


def _listed_for(mask: MaskFile, lists: Mapping[PurePath, LabelValues]) -> LabelValues:
    """The list of the same name beside a mask, or the one in the nearest folder above."""
    stem = mask.relative.name.split(".")[0]
    beside = lists.get(mask.relative.with_name(f"{stem}.tsv"))
    if beside is not None:
        return beside
    for folder in mask.relative.parents:
        found = [labels for path, labels in lists.items() if path.parent == folder and _is_of_folder(path)]
        if len(found) == 1:
            return found[0]
    return {}


def _is_of_folder(path: PurePath) -> bool:
    """Whether a list is of a whole dataset, not of one subject's file."""
    return not path.name.startswith("sub-")


def _contradiction(mask: MaskFile, own: LabelValues, listed: LabelValues, sources: MeaningSources) -> Finding | None:
    """Why two sources cannot both be right about a file, or one names a prompted label twice."""
    region = sources.called(mask.region)
    found = mask.labels or ()
    names = [{**listed, **own}.get(value) for value in found]
    is_named = mask.region != sources.first and not names_several(mask.region, sources.labels)
    is_one_named = len(found) == 1 and is_named and names[0] in sources.names and region != names[0]
    twice = any(names.count(label.name) > 1 for label in sources.labels if label.is_prompted)
    if not is_one_named and not twice and not any(listed.get(value, name) != name for value, name in own.items()):
        return None
    return Finding(
        Level.ERROR,
        "mask-values-contradict",
        "A value of the mask has two meanings: from its name, its own segments, a list of labels or "
        "--label-values; it is left out.",
        "Find out which is right, and correct the other.",
        f"file {mask.number}",
    )


def _names_both(mask: MaskFile, sources: MeaningSources) -> Finding:
    named = " and ".join(label.name.lower() for label in sources.labels[:2])
    return Finding(
        Level.ERROR,
        "mask-region-unclear",
        f"The mask's name says several regions, such as {named}; it is left out.",
        "Call it by what is drawn in it, or say what its values mean with --label-values, and ingest again.",
        f"file {mask.number}",
    )


def _plain(masks: Sequence[MaskFile], sources: MeaningSources) -> dict[int, LabelValues]:
    """Masks of one value that are plain all over the cohort; {} for the others, since then none can be trusted.

    A file called oedema may have a value of its own in cohorts that draw several regions, each in a file.
    """
    kinds: dict[str, list[MaskFile]] = defaultdict(list)
    for mask in masks:
        kinds[sources.called(mask.region)].append(mask)
    others = sources.names - {sources.first}
    are_all_plain = all(_is_plain(region in others, members) for region, members in kinds.items())
    return {mask.number: _plain_labels(mask) if are_all_plain or not mask.labels else {} for mask in masks}


def _is_plain(is_other_label: bool, masks: Sequence[MaskFile]) -> bool:
    found = {mask.labels for mask in masks if mask.labels}
    only = next(iter(found), PLAIN_VALUES[:1])
    return len(found) < 2 and len(only) == 1 and (is_other_label or only[0] in PLAIN_VALUES)


def _plain_labels(mask: MaskFile) -> LabelValues:
    return dict.fromkeys(mask.labels or PLAIN_VALUES[:1], mask.region)


def _question(masks: Sequence[MaskFile], asked: Sequence[MaskFile], sources: MeaningSources) -> Finding:
    counts = Counter(mask.labels for mask in masks if mask.labels)
    listed = [f"{_name(labels)} in {count} file(s)" for labels, count in counts.most_common(_MOST_LISTED)]
    got = "; ".join(listed) + (" and others" if len(counts) > _MOST_LISTED else "")
    numbers = [f"file {mask.number}" for mask in asked]
    more = f" and {len(numbers) - _MOST_LISTED} others" if len(numbers) > _MOST_LISTED else ""
    return Finding(
        Level.ERROR,
        "mask-values-unclear",
        f"It is not clear which value of the masks is the {sources.first.lower()}: they are not all of one value, 1 or "
        "255. They hold "
        f"{got}. These masks are left out.",
        _SAY,
        ", ".join(numbers[:_MOST_LISTED]) + more,
    )


def _name(labels: tuple[int, ...]) -> str:
    if len(labels) > MOST_VALUES:
        return f"{len(labels)} values"
    return f"value {', '.join(map(str, labels))}"
