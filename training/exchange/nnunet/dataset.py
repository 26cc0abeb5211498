"""Examples as a raw dataset of nnU-Net (`datasets.formats.nnunet_dataset`): one label, channels named by kinds."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datasets.errors import RejectedInput
from datasets.formats.nnunet_dataset import (
    CT_CHANNEL,
    NnunetCase,
    require_case_names,
    values_of_labels,
    write_raw_dataset,
)
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from datasets.part_folder import part_folder, place_part
from datasets.progress import Progress
from datasets.study.image_kind import ImageKind
from datasets.study.protocol import Modality

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.fitting.examples import Example


def write_dataset(
    folder: Path,
    cases: Sequence[str],
    load: "Callable[[str], Example]",
    *,
    kinds: Sequence[str],
    label: str,
    inputs: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> None:
    """Writes the raw dataset of some cases, whole or not at all.

    Args:
        folder: ``nnUNet_raw/DatasetXXX_name``; must not exist.
        cases: Their names.
        load: Reads the example of a case.
        kinds: Of the images, in the order of the channels.
        label: Name of the label in the masks.
        inputs: SHA-256 of what the cases are, which comes back with nnU-Net's results.
        progress: Called with the cases written, and those to write.

    Raises:
        RejectedInput: Something lies at `folder`, a case's name cannot be a file's, or the label's is nnU-Net's own.
    """
    require_case_names(cases)
    labels = values_of_labels([label])
    if folder.exists():
        raise RejectedInput(
            "nnunet-exists",
            f"{folder.name} is there already; nnU-Net's plans and folds of it would not fit other cases.",
            remedy="Give another --number, or remove that dataset with what nnU-Net made of it.",
        )

    def loaded() -> Iterator[NnunetCase]:
        for number, case in enumerate(cases, start=1):
            yield _case_of(load(case), kinds)
            if progress is not None:
                progress(number, len(cases))

    with part_folder(folder.parent) as part:
        said = {"images": list(kinds), "inputs": dict(inputs or {})}
        write_raw_dataset(part, loaded(), channels=[channel_name(kind) for kind in kinds], labels=labels, said=said)
        place_part(part, folder)


def channel_name(kind: str) -> str:
    """The name of a channel, by which nnU-Net chooses its normalisation."""
    return CT_CHANNEL if ImageKind.from_word(kind).modality is Modality.CT else kind


def _case_of(example: "Example", kinds: Sequence[str]) -> NnunetCase:
    volumes = (example.volumes[kind] for kind in kinds)
    images = [Volume(np.asarray(volume.data, dtype=np.float32), volume.grid) for volume in volumes]
    return NnunetCase(example.case, images, Mask(example.mask.foreground.astype(np.uint8), example.mask.grid))
