"""Folders described by a `dataset.json`, as nnU-Net and the Medical Segmentation Decathlon have them.

It names the channels and the labels. nnU-Net has a file a channel (``imagesTr/CASE_0000.nii.gz``,
``labelsTr/CASE.nii.gz``); the Decathlon lists pairs of image and label, and an image of several channels is one 4D
file. Either way a case is a patient, but where it is called as BIDS calls sessions: ``sub-01_ses-2`` is of ``sub-01``.

Source: nnU-Net, documentation/dataset_format.md; Antonelli et al. 2022, The Medical Segmentation Decathlon, Nat Commun
13:4128.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from unicodedata import normalize

from datasets.file_tree import FileTree, leads_outside
from datasets.finding import Finding, Level
from datasets.formats.volume_file import is_volume_file
from datasets.labels.label_values import LABEL_LIST_NAME
from datasets.labels.stored_values import MOST_LABEL
from datasets.public.dataset import Publication, SourceCase, SourceDataset, SourceImage, SourceMask
from datasets.public.documents import document_or_none, said

_ENDING = ".nii.gz"
_IMAGE_FOLDERS, _LABEL_FOLDERS = ("imagesTr", "imagesTs"), ("labelsTr", "labelsTs")
_NUMBERED = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})", re.DOTALL)
_SESSION = re.compile(r"(?P<patient>sub-[A-Za-z0-9]+)_ses-[A-Za-z0-9]+")
_OF_PROGRAM = re.compile(r"(?:Dataset|Task)\d{2,4}_\w+")
_BACKGROUNDS = frozenset({"background", "bg"})
_MOST_NAME = 100


@dataclass(frozen=True)
class DatasetDocument:
    """What one `dataset.json` says. Paths and names are never to be shown.

    Args:
        at: Its folder below the tree's.
        channels: Their names, by their numbers.
        labels: Name of each value but the background's; an empty name where only a group of values has one.
        ending: Of the names of its files.
        listed: Image and label (empty for none) of each case, by paths below the tree's folder.
        name: The dataset's own name; empty where it has none.
        publication: Whose it is.
    """

    at: PurePosixPath = field(repr=False)
    channels: tuple[str, ...] = field(repr=False)
    labels: Mapping[int, str] = field(repr=False)
    ending: str
    listed: tuple[tuple[str, str], ...] = field(repr=False)
    name: str = field(repr=False)
    publication: Publication


def read_dataset_document(tree: FileTree, path: str = LABEL_LIST_NAME) -> DatasetDocument | None:
    """A document that names its channels; None for any other one of that name, and for none."""
    document = document_or_none(tree, path)
    if document is None:
        return None
    channels = _channels(document.get("channel_names", document.get("modality")))
    if not channels:
        return None
    ending = document.get("file_ending")
    at = PurePosixPath(path).parent
    name = said(document, "name").replace("/", "_")[:_MOST_NAME]
    return DatasetDocument(
        at=at,
        channels=channels,
        labels=_labels(document.get("labels")),
        ending=ending if isinstance(ending, str) and ending else _ENDING,
        listed=tuple(_listed(document, at)),
        name=normalize("NFC", name),
        publication=Publication(
            name or "a dataset", said(document, "licence", "license"), said(document, "citation", "reference")
        ),
    )


def listed_files(document: DatasetDocument, tree: FileTree) -> list[tuple[str, str]]:
    """The listed pairs of image and label whose image is there."""
    return [(image, label) for image, label in document.listed if image in tree.numbers]


def numbered_files(document: DatasetDocument, tree: FileTree) -> dict[tuple[str, str], dict[int, str]]:
    """``Tr`` or ``Ts`` and case to channel to path of the images that have a file a channel, without listed ones."""
    listed = {image for image, _ in document.listed}
    cases: dict[tuple[str, str], dict[int, str]] = {}
    for path in tree.paths:
        if path in listed or not _is_below(document, path, _IMAGE_FOLDERS):
            continue
        match = _NUMBERED.fullmatch(_stem(document, path))
        if match and path.endswith(document.ending) and is_volume_file(PurePosixPath(path)):
            part = PurePosixPath(path).parent.name[-2:]
            cases.setdefault((part, match["case"]), {})[int(match["channel"])] = path
    return cases


def dataset_of(document: DatasetDocument, tree: FileTree) -> SourceDataset:
    """The dataset that a document describes, with what is missing of it."""
    reading = _Reading(document, tree)
    listed, numbered = listed_files(document, tree), numbered_files(document, tree)
    cases = [*map(reading.listed_case, listed), *(reading.numbered_case(*item) for item in numbered.items())]
    if listed and (absent := len(document.listed) - len(listed)):
        reading.find("dataset-file-absent", f"{absent} image(s) that the dataset lists are not there.", "Add them.")
    lone = reading.lone_labels(set(numbered), {mask.path for one in cases for mask in one.masks}) if cases else []
    former = {reading.patient(name): reading.former(name) for name in reading.names}
    return SourceDataset(
        document.publication,
        tuple(cases),
        tuple(reading.findings),
        channels=document.channels,
        lone_masks=tuple(lone),
        former_patients={key: old for key, old in former.items() if key != old},
    )


class _Reading:
    """The files of one dataset, sorted to cases."""

    def __init__(self, document: DatasetDocument, tree: FileTree) -> None:
        self.document = document
        self.tree = tree
        self.findings: list[Finding] = []
        self.names: list[str] = []

    def listed_case(self, pair: tuple[str, str]) -> SourceCase:
        image, label = pair
        several = len(self.document.channels) > 1
        images = tuple(
            SourceImage(name, image, channel=channel if several else None)
            for channel, name in enumerate(self.document.channels)
        )
        if label and label not in self.tree.numbers:
            message = "A label that the dataset lists is not there."
            self.find("dataset-label-absent", message, "Add it.", image)
        is_there = bool(label) and label in self.tree.numbers
        return self._case(_stem(self.document, image), images, label if is_there else "")

    def numbered_case(self, key: tuple[str, str], found: Mapping[int, str]) -> SourceCase:
        part, case = key
        channels = self.document.channels
        if missing := [channel for channel in range(len(channels)) if channel not in found]:
            self.find(
                "dataset-channel-missing",
                f"An image of the dataset lacks channel(s) {', '.join(map(str, missing))}.",
                "Add the files of these channels, or go on without them where the protocol does not require them.",
                *found.values(),
            )
        named = {channel: channels[channel] if channel < len(channels) else "" for channel in found}
        images = tuple(SourceImage(named[channel], path) for channel, path in found.items())
        label = str(self.document.at / f"labels{part}" / f"{case}{self.document.ending}")
        return self._case(case, images, label if label in self.tree.numbers else "")

    def lone_labels(self, cases: set[tuple[str, str]], used: set[str]) -> list[str]:
        """Labels of which there is no image, with the finding about them."""
        lone = [
            path
            for path in self.tree.paths
            if _is_below(self.document, path, _LABEL_FOLDERS)
            and path not in used
            and path.endswith(self.document.ending)
            and (PurePosixPath(path).parent.name[-2:], _stem(self.document, path)) not in cases
        ]
        if lone:
            message = f"{len(lone)} label(s) of the dataset have no image; they are left out."
            self.find("dataset-label-without-image", message, "Add the images of these cases.", *lone)
        return lone

    def patient(self, case: str) -> str:
        """The name of a case's patient behind the dataset's, since many datasets have a ``case_001``.

        The dataset goes by the folders down to it; at the top by its own name, or by its folder's where that is one
        of nnU-Net or the Decathlon.
        """
        at, folder = self.document.at, self.tree.folder.name
        name = self.document.name or (folder if _OF_PROGRAM.fullmatch(folder) else "")
        return str((at if at.parts else PurePosixPath(name)) / _subject(case))

    def former(self, case: str) -> str:
        """What versions before the dataset's name counted called the patient."""
        return str(self.document.at / _subject(case))

    def find(self, code: str, message: str, remedy: str, *paths: str) -> None:
        subject = self.tree.subject(*paths) or "the dataset"
        self.findings.append(Finding(Level.WARNING, code, message, remedy, subject))

    def _case(self, case: str, images: tuple[SourceImage, ...], label: str) -> SourceCase:
        self.names.append(case)
        masks = (SourceMask(label, labels=self.document.labels),) if label else ()
        visit = case if _SESSION.fullmatch(case) else ""
        return SourceCase(self.patient(case), case, images, masks, visit=visit)


def _subject(case: str) -> str:
    """The patient in a case's name."""
    match = _SESSION.fullmatch(case)
    return match["patient"] if match else case


def _channels(named: object) -> tuple[str, ...]:
    """The channels in the order of their numbers; () where they are not numbered from 0 on."""
    if isinstance(named, list):
        return tuple(map(str, named))
    if not isinstance(named, dict) or {str(key) for key in named} != {str(number) for number in range(len(named))}:
        return ()
    return tuple(str(named[key]) for key in sorted(named, key=int))


def _labels(named: object) -> dict[int, str]:
    """Value to name; values that have a name only together with others, or two names, have an empty one.

    nnU-Net's second version gives each name its value, or several (regions over each other); all others give each
    value its name.
    """
    if not isinstance(named, dict):
        return {}
    is_by_value = all(isinstance(name, str) for name in named.values())
    pairs = [(name, [value]) if is_by_value else (value, name) for value, name in named.items()]
    found: dict[int, set[str]] = {}
    for name, values in pairs:
        each = values if isinstance(values, list) else [values]
        is_background = str(name).strip().lower() in _BACKGROUNDS
        for value in filter(_is_value, () if is_background else each):
            found.setdefault(int(value), set()).update({str(name)} if len(each) == 1 else ())
    return {value: next(iter(found[value])) if len(found[value]) == 1 else "" for value in sorted(found)}


def _is_value(value: Any) -> bool:
    text = str(value)
    return not isinstance(value, bool) and text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= MOST_LABEL


def _listed(document: Mapping[str, object], at: PurePosixPath) -> Iterator[tuple[str, str]]:
    """The Decathlon's pairs of image and label; what is no path below the dataset is no file."""
    for key in ("training", "test"):
        entries = document.get(key)
        for entry in entries if isinstance(entries, list) else []:
            image, label = (entry.get("image"), entry.get("label")) if isinstance(entry, dict) else (entry, "")
            if isinstance(image, str) and image and not leads_outside(image):
                is_label = isinstance(label, str) and label and not leads_outside(label)
                yield str(at / image), str(at / str(label)) if is_label else ""


def _is_below(document: DatasetDocument, path: str, folders: tuple[str, ...]) -> bool:
    parent = PurePosixPath(path).parent
    return parent.parent == document.at and parent.name in folders


def _stem(document: DatasetDocument, path: str) -> str:
    name = PurePosixPath(path).name
    return name[: -len(document.ending)] if name.endswith(document.ending) else name.split(".")[0]
