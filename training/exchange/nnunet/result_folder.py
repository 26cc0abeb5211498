"""A result folder of nnU-Net: its plans, what it learned from, and how the files of that lay. No torch here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets.errors import RejectedInput
from datasets.formats.nnunet_dataset import AXCODES, PROVENANCE, SPLITS_NAME
from training.exchange.imported import channel_findings, names_by_number

CONFIGURATIONS = ("3d_fullres", "3d_lowres")

_TURNS = "NibabelIOWithReorient"
"""nnU-Net's reader that turns files to `AXCODES` by itself."""

_LIMIT = 1 << 26
_PREPROCESSED = ("preprocessed", "nnUNet_preprocessed")


def trained_folds(folder: Path) -> dict[str, Path]:
    """The final checkpoint of each fold that was trained to its end, by the fold as nnU-Net calls it.

    Raises:
        RejectedInput: There is none (``nnunet-untrained``).
    """
    found = sorted(folder.glob("fold_*/checkpoint_final.pth"))
    if not found:
        raise RejectedInput(
            "nnunet-untrained",
            "No fold of the result folder has a checkpoint_final.pth.",
            remedy="Train a fold to its end: `nnunet train`.",
        )
    return {path.parent.name.removeprefix("fold_"): path for path in found}


@dataclass(frozen=True)
class ResultFolder:
    """A folder ``TRAINER__PLANS__CONFIGURATION`` of nnU-Net's results.

    Args:
        folder: With ``plans.json``, ``dataset.json`` and ``fold_0`` …
        configuration: The part of the plans that was trained.
        plans: Whole ``plans.json``.
        dataset: Whole ``dataset.json``.
    """

    folder: Path
    configuration: str
    plans: Mapping[str, Any]
    dataset: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "ResultFolder":
        """Reads the plans of a result folder.

        Raises:
            RejectedInput: It is none (``nnunet-results``), or holds a configuration that is not drawn here
                (``nnunet-configuration``).
        """
        plans, dataset = (_object(folder / name) for name in ("plans.json", "dataset.json"))
        configuration = folder.resolve().name.rpartition("__")[2]
        if configuration not in CONFIGURATIONS:
            raise RejectedInput(
                "nnunet-configuration",
                f"The folder's configuration is not one of {', '.join(CONFIGURATIONS)}.",
                remedy="Import the folder of such a configuration; cascades and networks on slices are not drawn here.",
            )
        return cls(folder, configuration, plans, dataset)

    @property
    def label(self) -> str:
        """The one label that it draws.

        Raises:
            RejectedInput: It draws others (``nnunet-labels``).
        """
        try:
            [label] = [name for name, value in self.dataset["labels"].items() if value == 1]
            if self.dataset["labels"] != {"background": 0, label: 1}:
                raise ValueError("labels")
            return str(label)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RejectedInput(
                "nnunet-labels",
                "The network draws other labels than background and one more.",
                remedy="Import a network of one label.",
            ) from error

    @property
    def our_inputs(self) -> dict[str, str]:
        """What a dataset of ours says of the cases that were learned from, such as the snapshot's digest."""
        inputs = self._said.get("inputs")
        return {str(name): str(digest) for name, digest in inputs.items()} if isinstance(inputs, Mapping) else {}

    def kinds(self, named: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
        """The kinds of its images in the order of the channels, and findings: a dataset of ours says them itself.

        Args:
            named: By a person; () to take what the dataset says.

        Raises:
            RejectedInput: They are others than it says, or nobody says them (``nnunet-channels``).
        """
        own = self._said.get("images")
        if isinstance(own, list) and own:
            if named and list(named) != own:
                raise _other_channels(f"The network learned from {', '.join(map(str, own))}, in this order")
            return tuple(map(str, own)), []
        called = names_by_number(self.dataset.get("channel_names"))
        if not named:
            raise _other_channels(f"dataset.json calls the channels {', '.join(called.values()) or 'nothing'}")
        return tuple(named), channel_findings(called, named, code="nnunet-channels")

    def axcodes(self, named: str) -> str:
        """Where the axes of the files that it learned from run: known where they are ours or its reader turns them.

        Args:
            named: By a person; empty where nobody did.

        Raises:
            RejectedInput: They are known to run otherwise, or nobody says it (``nnunet-axes``).
        """
        is_known = bool(self._said) or self.plans.get("image_reader_writer") == _TURNS
        if not named and not is_known:
            raise RejectedInput(
                "nnunet-axes",
                "Nothing says where the axes of the files run that the network learned from, and one that takes left "
                "for right draws on the wrong side.",
                remedy="Name it with --axcodes, as nibabel.aff2axcodes says it of an image that it learned from, such "
                f"as LPS or {AXCODES}.",
            )
        if named and is_known and named != AXCODES:
            raise RejectedInput(
                "nnunet-axes",
                f"The axes of what the network learned from run to {AXCODES}, not to {named[:3]}.",
                remedy="Leave --axcodes out.",
            )
        return named or AXCODES

    def learned_from(self, folds: Sequence[str]) -> list[list[str]] | None:
        """The cases that each fold learned from; None where no ``splits_final.json`` says it.

        Args:
            folds: As nnU-Net calls them.
        """
        splits = self._splits()
        if not splits:
            return None
        every = sorted({case for split in splits for part in split.values() for case in part})
        # A fold beyond the list is split by nnU-Net at random, and "all" is not split.
        own = {str(number): split["train"] for number, split in enumerate(splits)}
        return [sorted(own.get(fold, every)) for fold in folds]

    def _splits(self) -> list[dict[str, list[str]]] | None:
        """nnU-Net's own list of its folds, beside the results or where nnU-Net keeps it."""
        dataset = self.folder.resolve().parent
        kept = [dataset.parent.parent / name / dataset.name for name in _PREPROCESSED]
        path = next((place / SPLITS_NAME for place in (self.folder, *kept) if (place / SPLITS_NAME).is_file()), None)
        try:
            found = None if path is None else _json(path)
            return found and [{part: list(map(str, split[part])) for part in ("train", "val")} for split in found]
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise _unreadable(SPLITS_NAME) from error

    @property
    def _said(self) -> Mapping[str, Any]:
        """What our export said in the dataset; empty for datasets made elsewhere."""
        said = self.dataset.get(PROVENANCE)
        return said if isinstance(said, Mapping) else {}


def _object(path: Path) -> dict[str, Any]:
    try:
        found = _json(path)
        if not isinstance(found, dict):
            raise ValueError("table")
        return found
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path.name) from error


def _json(path: Path) -> Any:
    if path.stat().st_size > _LIMIT:
        raise ValueError("size")
    return json.loads(path.read_text(encoding="utf-8"))


def _unreadable(name: str) -> RejectedInput:
    return RejectedInput(
        "nnunet-results",
        f"The folder has no {name} that can be read.",
        remedy="Name a result folder: results/DatasetXXX_name/TRAINER__PLANS__CONFIGURATION.",
    )


def _other_channels(said: str) -> RejectedInput:
    return RejectedInput(
        "nnunet-channels",
        f"{said}.",
        remedy="Name the kind of each channel with --images, in this order; a dataset of ours says them itself.",
    )
