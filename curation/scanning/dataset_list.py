"""A dataset's `dataset.json` as nnU-Net and the Medical Segmentation Decathlon write it: its channels and its files."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from curation.scanning.channel_roles import roles_of_channels
from curation.scanning.table_files import leads_outside
from datasets.study.protocol import Protocol

_MOST_BYTES = 50_000_000
_ENDING = ".nii.gz"


@dataclass(frozen=True)
class DatasetList:
    """What one `dataset.json` says of its channels and files. Paths are never to be shown.

    Args:
        at: The dataset's folder below the scanned one.
        channels: Their names, by their numbers.
        roles: The role of each; None where its name says none.
        ending: Of the names of its files.
        listed: Image and label (empty for none) of each case of the Decathlon's, by paths below the scanned folder.
    """

    at: PurePosixPath = field(repr=False)
    channels: tuple[str, ...] = field(repr=False)
    roles: tuple[str | None, ...]
    ending: str
    listed: tuple[tuple[str, str], ...] = field(repr=False)


def read_dataset_list(folder: Path, path: str, protocol: Protocol) -> DatasetList | None:
    """A dataset that names its channels; None for any other document of that name.

    Args:
        folder: The scanned folder.
        path: The document's path below it.
        protocol: Whose roles the channels may have.
    """
    try:
        if (folder / path).is_symlink() or (folder / path).stat().st_size > _MOST_BYTES:
            return None
        document = json.loads((folder / path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None  # `label_lists` has a finding about it
    if not isinstance(document, dict):
        return None
    channels = _channels(document.get("channel_names", document.get("modality")))
    if not channels:
        return None
    ending = document.get("file_ending")
    at = PurePosixPath(path).parent
    return DatasetList(
        at,
        channels,
        roles_of_channels(channels, protocol),
        ending if isinstance(ending, str) and ending else _ENDING,
        tuple(_listed(document, at)),
    )


def _channels(named: object) -> tuple[str, ...]:
    """The channels in the order of their numbers; () where they are not numbered from 0 on."""
    if isinstance(named, list):
        return tuple(map(str, named))
    if not isinstance(named, dict) or {str(key) for key in named} != {str(number) for number in range(len(named))}:
        return ()
    return tuple(str(named[key]) for key in sorted(named, key=int))


def _listed(document: Mapping[str, object], at: PurePosixPath) -> Iterator[tuple[str, str]]:
    """The Decathlon's pairs of image and label; what is no path below the dataset is no file."""
    for key in ("training", "test"):
        entries = document.get(key)
        for entry in entries if isinstance(entries, list) else []:
            image, label = (entry.get("image"), entry.get("label")) if isinstance(entry, dict) else (entry, "")
            if isinstance(image, str) and not leads_outside(image):
                is_label = isinstance(label, str) and label and not leads_outside(label)
                yield str(at / image), str(at / str(label)) if is_label else ""
