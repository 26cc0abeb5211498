"""Folders laid out for segmentation programs: nnU-Net's raw datasets and the Medical Segmentation Decathlon's.

Both have a `dataset.json` that names the channels and the labels. nnU-Net has a file a channel
(``imagesTr/CASE_0000.nii.gz``, ``labelsTr/CASE.nii.gz``); the Decathlon lists pairs of image and label, and an image of
several channels is one 4D file. Either way a case is a patient, its channels have the roles that their names say
(`curation.scanning.channel_roles`), and its label is a mask whose values the list names
(`curation.scanning.mask_values`).

Source: nnU-Net, documentation/dataset_format.md; Antonelli et al. 2022, The Medical Segmentation Decathlon, Nat Commun
13:4128.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from curation.scanning.dataset_list import DatasetList, read_dataset_list
from curation.scanning.table_files import NamedFile
from datasets.finding import Finding, Level
from datasets.formats.volume_file import is_volume_file
from datasets.labels.label_values import LABEL_LIST_NAME
from datasets.study.protocol import Modality, Protocol

_IMAGE_FOLDERS, _LABEL_FOLDERS = ("imagesTr", "imagesTs"), ("labelsTr", "labelsTs")
_NUMBERED = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")
_MOST_LISTED = 5


@dataclass(frozen=True)
class LaidOut:
    """What the datasets in a folder say of its files.

    Args:
        files: Path below the folder, with ``/``, to what is in the file: one entry, or one a channel.
        left_out: Paths of files of channels that have no role here.
        findings: Channels without a role, files that are missing.
    """

    files: Mapping[str, tuple[NamedFile, ...]] = field(default_factory=dict, repr=False)
    left_out: frozenset[str] = field(default=frozenset(), repr=False)
    findings: tuple[Finding, ...] = ()


def laid_out(folder: Path, present: Sequence[str], protocol: Protocol) -> LaidOut:
    """Reads every nnU-Net and Decathlon dataset in a folder; one that cannot be read lays out nothing.

    Args:
        folder: The scanned folder.
        present: Paths of all its files below it, with ``/``, in their order.
        protocol: Whose roles the channels may have.
    """
    numbers = {path: number for number, path in enumerate(present, start=1)}
    files: dict[str, tuple[NamedFile, ...]] = {}
    left_out: set[str] = set()
    findings: list[Finding] = []
    for path in present:
        dataset = read_dataset_list(folder, path, protocol) if PurePosixPath(path).name == LABEL_LIST_NAME else None
        if dataset is None:
            continue
        layout = _Layout(dataset, numbers, {image.name: image.modality for image in protocol.images})
        layout.place()
        files |= layout.files
        left_out |= layout.left_out
        if layout.files or layout.left_out:
            findings += [*_without_role(dataset, numbers[path], protocol), *layout.findings]
    return LaidOut(files, frozenset(left_out), tuple(findings))


class _Layout:
    """The files of one dataset, sorted to cases and channels."""

    def __init__(self, dataset: DatasetList, numbers: Mapping[str, int], modalities: Mapping[str, Modality]) -> None:
        self.dataset = dataset
        self.numbers = numbers
        self.modalities = modalities
        self.files: dict[str, tuple[NamedFile, ...]] = {}
        self.left_out: set[str] = set()
        self.findings: list[Finding] = []

    def place(self) -> None:
        """Places the files that are listed, then those that are numbered."""
        listed = [(image, label) for image, label in self.dataset.listed if image in self.numbers]
        self._place_listed(listed)
        if listed and (absent := len(self.dataset.listed) - len(listed)):
            self._find("dataset-file-absent", f"{absent} image(s) that the dataset lists are not there.", "Add them.")
        cases = self._numbered()
        for case, found in cases.items():
            self._place_numbered(case, found)
        labels = {path for path in self.numbers if self._below(path, _LABEL_FOLDERS) and path not in self.files}
        cased = {path: self._case_of(path) for path in sorted(labels)}
        of_no_image = [path for path, case in cased.items() if case is not None and case not in cases]
        if (self.files or self.left_out) and of_no_image:
            self.left_out.update(of_no_image)
            self._find(
                "dataset-label-without-image",
                f"{len(of_no_image)} label(s) of the dataset have no image; they are left out.",
                "Add the images of these cases.",
                of_no_image,
            )

    def _place_listed(self, pairs: Sequence[tuple[str, str]]) -> None:
        for image, label in pairs:
            case = self._patient(self._stem(image))
            roles = self.dataset.roles
            several = len(roles) > 1
            entries = tuple(
                self._image(case, role, channel if several else None)
                for channel, role in enumerate(roles)
                if role is not None
            )
            self._add(image, entries)
            if not label:
                continue
            if label in self.numbers:
                self._add(label, (NamedFile(case, None, True, is_of_dataset=True),) if entries else ())
            else:
                self._find("dataset-label-absent", "A label that the dataset lists is not there.", "Add it.", [image])

    def _numbered(self) -> dict[tuple[str, str], dict[int, str]]:
        """Folder and case to channel to path of nnU-Net's images."""
        cases: dict[tuple[str, str], dict[int, str]] = {}
        for path in self.numbers:
            if path in self.files or not self._below(path, _IMAGE_FOLDERS):
                continue
            match = _NUMBERED.fullmatch(self._stem(path))
            if match and path.endswith(self.dataset.ending) and is_volume_file(PurePosixPath(path)):
                part = PurePosixPath(path).parent.name[-2:]
                cases.setdefault((part, match["case"]), {})[int(match["channel"])] = path
        return cases

    def _place_numbered(self, key: tuple[str, str], found: Mapping[int, str]) -> None:
        part, case = key
        roles = self.dataset.roles
        for channel, path in found.items():
            role = roles[channel] if channel < len(roles) else None
            self._add(path, () if role is None else (self._image(self._patient(case), role, None),))
        missing = [channel for channel in range(len(roles)) if channel not in found]
        if missing:
            self._find(
                "dataset-channel-missing",
                f"An image of the dataset lacks channel(s) {', '.join(map(str, missing))}.",
                "Add the files of these channels, or go on without them where the protocol does not require them.",
                list(found.values()),
            )
        label = str(self.dataset.at / f"labels{part}" / f"{case}{self.dataset.ending}")
        if label in self.numbers:
            mask = NamedFile(self._patient(case), None, True, is_of_dataset=True)
            self._add(label, (mask,) if any(path in self.files for path in found.values()) else ())

    def _image(self, patient: str, role: str, channel: int | None) -> NamedFile:
        modality = self.modalities[role]
        said = "" if modality is Modality.MR else modality.value
        return NamedFile(patient, role, False, channel=channel, modality=said, is_of_dataset=True)

    def _add(self, path: str, entries: tuple[NamedFile, ...]) -> None:
        if entries:
            self.files[path] = entries
        else:
            self.left_out.add(path)

    def _patient(self, case: str) -> str:
        """The patient's id: the case's name, behind the dataset's folder where there may be several datasets."""
        return str(self.dataset.at / case)

    def _below(self, path: str, folders: Sequence[str]) -> bool:
        parent = PurePosixPath(path).parent
        return parent.parent == self.dataset.at and parent.name in folders

    def _stem(self, path: str) -> str:
        name = PurePosixPath(path).name
        ending = self.dataset.ending
        return name[: -len(ending)] if name.endswith(ending) else name.split(".")[0]

    def _case_of(self, path: str) -> tuple[str, str] | None:
        """Folder and case of a label; None where it is no volume of the dataset's kind."""
        if not path.endswith(self.dataset.ending):
            return None
        return PurePosixPath(path).parent.name[-2:], self._stem(path)

    def _find(self, code: str, message: str, remedy: str, paths: Sequence[str] = ()) -> None:
        numbers = [f"file {self.numbers[path]}" for path in paths]
        more = f" and {len(numbers) - _MOST_LISTED} others" if len(numbers) > _MOST_LISTED else ""
        subject = ", ".join(numbers[:_MOST_LISTED]) + more
        self.findings.append(Finding(Level.WARNING, code, message, remedy, subject or "the dataset"))


def _without_role(dataset: DatasetList, number: int, protocol: Protocol) -> Iterator[Finding]:
    """A warning about channels that have no role here, by their numbers: their names may be anything."""
    without = [str(channel) for channel, role in enumerate(dataset.roles) if role is None]
    if without:
        yield Finding(
            Level.WARNING,
            "dataset-channel-without-role",
            f"Channel(s) {', '.join(without)} of the dataset are called like no image of the protocol "
            f"({', '.join(protocol.roles)}), or two are called alike; they are left out.",
            f"Nothing, if they are not wanted; else call them so in {LABEL_LIST_NAME}, or add their names as aliases "
            "to the protocol.",
            f"file {number}",
        )
