"""The meaning of the values in a scan's mask files: the same in all of them, or given; otherwise a person is asked.

A file's own segment names come first, then a person's `--label-values`, then a list of labels in its dataset. Without
any of these only a plain mask speaks for itself: one value, 1 or 255, in every file that is called alike.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.formats.segment_names import segment_names
from datasets.image.mask import OEDEMA, TUMOUR
from datasets.labels.label_values import (
    LABEL_LIST_NAME,
    LABEL_TABLE_ENDING,
    PLAIN_VALUES,
    LabelValues,
    names_tumour_and_oedema,
    read_label_list,
    region_called,
)
from datasets.labels.stored_values import MOST_VALUES

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
        region: Region by its name; `TUMOUR` where that gives none.
        labels: The labels in it, () for an empty one; None for no label map, which is refused where it is read.
    """

    number: int
    path: Path = field(repr=False)
    relative: PurePath = field(repr=False)
    region: str
    labels: tuple[int, ...] | None


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


def meanings_of(masks: Sequence[MaskFile], given: LabelValues, lists: Mapping[PurePath, LabelValues]) -> Meanings:
    """Names the values of all mask files of one scan.

    Args:
        masks: All of them.
        given: Names by a person; {} for none.
        lists: From `label_lists`.
    """
    labels: dict[int, LabelValues] = {}
    findings: list[Finding] = []
    unlabelled: list[MaskFile] = []
    for mask in masks:
        own, listed = _segments_of(mask), given or _listed_for(mask, lists)
        known = {**listed, **own}
        if not known and names_tumour_and_oedema(mask.region):
            labels[mask.number] = {}
            findings.append(_names_both(mask))
        elif not known:
            unlabelled.append(mask)
        elif problem := _contradiction(mask, own, given or listed):
            labels[mask.number] = {}
            findings.append(problem)
        else:
            labels[mask.number] = known
    plain = _plain(unlabelled)
    asked = [mask for mask in unlabelled if not plain[mask.number]]
    return Meanings({**labels, **plain}, (*findings, *([_question(unlabelled, asked)] if asked else [])))


def _segments_of(mask: MaskFile) -> LabelValues:
    """The file's own names; a header that cannot be read is refused where the mask is."""
    try:
        return {value: region_called(name) for value, name in segment_names(mask.path).items()}
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


def _contradiction(mask: MaskFile, own: LabelValues, listed: LabelValues) -> Finding | None:
    """Why two sources cannot both be right about a file, or one names the tumour twice."""
    region = region_called(mask.region)
    found = mask.labels or ()
    names = [{**listed, **own}.get(value) for value in found]
    is_named = mask.region != TUMOUR and not names_tumour_and_oedema(mask.region)
    is_one_named = len(found) == 1 and is_named and names[0] in (TUMOUR, OEDEMA) and region != names[0]
    twice = names.count(TUMOUR) > 1
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


def _names_both(mask: MaskFile) -> Finding:
    return Finding(
        Level.ERROR,
        "mask-region-unclear",
        "The mask's name says both tumour and oedema; it is left out.",
        "Call it by what is drawn in it, or say what its values mean with --label-values, and ingest again.",
        f"file {mask.number}",
    )


def _plain(masks: Sequence[MaskFile]) -> dict[int, LabelValues]:
    """Masks of one value that are plain all over the cohort; {} for the others, since then none can be trusted.

    A file called oedema may have a value of its own in cohorts that draw both regions, each in a file.
    """
    kinds: dict[str, list[MaskFile]] = defaultdict(list)
    for mask in masks:
        kinds[region_called(mask.region)].append(mask)
    are_all_plain = all(_is_plain(region, members) for region, members in kinds.items())
    return {mask.number: _plain_labels(mask) if are_all_plain or not mask.labels else {} for mask in masks}


def _is_plain(region: str, masks: Sequence[MaskFile]) -> bool:
    found = {mask.labels for mask in masks if mask.labels}
    only = next(iter(found), PLAIN_VALUES[:1])
    return len(found) < 2 and len(only) == 1 and (region == OEDEMA or only[0] in PLAIN_VALUES)


def _plain_labels(mask: MaskFile) -> LabelValues:
    return dict.fromkeys(mask.labels or PLAIN_VALUES[:1], mask.region)


def _question(masks: Sequence[MaskFile], asked: Sequence[MaskFile]) -> Finding:
    counts = Counter(mask.labels for mask in masks if mask.labels)
    listed = [f"{_name(labels)} in {count} file(s)" for labels, count in counts.most_common(_MOST_LISTED)]
    got = "; ".join(listed) + (" and others" if len(counts) > _MOST_LISTED else "")
    numbers = [f"file {mask.number}" for mask in asked]
    more = f" and {len(numbers) - _MOST_LISTED} others" if len(numbers) > _MOST_LISTED else ""
    return Finding(
        Level.ERROR,
        "mask-values-unclear",
        "It is not clear which value of the masks is the tumour: they are not all of one value, 1 or 255. They hold "
        f"{got}. These masks are left out.",
        _SAY,
        ", ".join(numbers[:_MOST_LISTED]) + more,
    )


def _name(labels: tuple[int, ...]) -> str:
    if len(labels) > MOST_VALUES:
        return f"{len(labels)} values"
    return f"value {', '.join(map(str, labels))}"
