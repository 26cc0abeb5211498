"""Training of the 2.5D U-Net on approved masks. The same cases, settings and machine give the same bytes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.mask import TUMOUR, Mask
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.image_kind import T1, T2
from training.inputs.kinds import image_of, require_kinds
from training.inputs.slice_triplets import PictureRule, case_stack, resized_stack, triplets
from training.model_package import Method, ModelDescription, write_package

if TYPE_CHECKING:
    import torch

    from training.fitting.loop import FitProgress


@dataclass(frozen=True, eq=False)
class TrainingCase:
    """One approved mask with its images.

    Args:
        case_id: Code of the case; cases are ordered by it.
        patient_id: Code of the patient, all of whose cases belong to one fold.
        volumes: Images by kind, among them those of the training.
        mask: Of one label: every labelled voxel counts as tumour.
        slice_axis: The grid axis that runs through the slices.

    Raises:
        GeometryError: The mask lies on another grid than the images.
    """

    case_id: str
    patient_id: str
    volumes: Mapping[str, Volume]
    mask: Mask
    slice_axis: int = 2

    def __post_init__(self) -> None:
        for volume in self.volumes.values():
            volume.grid.require_match(self.mask.grid, what="Images and mask of a training case")


@dataclass(frozen=True)
class FitSettings:
    """Settings of the training.

    Args:
        steps: Gradient steps.
        batch_size: Slices a step.
        learning_rate: Adam's step size.
        empty_slices: Share of slices without tumour in a batch, 0 up to below 1; with 0 (MSTT-199) the network draws
            tumours on slices without one.
        seed: Seed of the first weights and of the choice of slices.
        widths: Channels of the U-Net's levels.
        rule: How volumes become pictures.
        device: ``cuda``, ``cpu``, or None for the best there is.
        images: Kinds of the images, in the order in which the network sees them.
        label: Name of the label that the masks hold.

    Raises:
        RejectedInput: A value is out of range, or an image is given twice.
    """

    steps: int = 200
    batch_size: int = 8
    learning_rate: float = 1e-3
    empty_slices: float = 0.25
    seed: int = 0
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    rule: PictureRule = field(default_factory=PictureRule)
    device: str | None = None
    images: tuple[str, ...] = (T1, T2)
    label: str = TUMOUR

    def __post_init__(self) -> None:
        require_kinds(self.images)
        fit = self.steps >= 1 and self.batch_size >= 1 and 0.0 < self.learning_rate < 1.0 and self.seed >= 0
        fit = fit and 0.0 <= self.empty_slices < 1.0 and len(self.widths) >= 2 and min(self.widths) >= 1
        if not fit or self.rule.input_size % 2 ** (len(self.widths) - 1):
            raise RejectedInput(
                "fit-settings",
                "A training needs at least one step and slice, a learning rate and a share of empty slices between 0 "
                "and 1, at least two widths, and a picture size that halves once for each width but the last.",
                remedy="Correct the settings.",
            )


@dataclass(frozen=True, eq=False)
class FittedModel:
    """The trained network.

    Args:
        tensors: The network's weights by name.
        losses: Loss of every step.
        settings: As given.
        case_count: Cases it learned from.
        patient_count: Patients it learned from.
        device: ``cuda`` or ``cpu``.
    """

    tensors: dict[str, NDArray[Any]]
    losses: tuple[float, ...]
    settings: FitSettings
    case_count: int
    patient_count: int
    device: str


def fit_unet25d(
    cases: Sequence[TrainingCase], *, settings: FitSettings | None = None, progress: "FitProgress | None" = None
) -> FittedModel:
    """Fits a 2.5D U-Net with Adam on Dice and cross-entropy.

    Args:
        cases: Approved masks with their images, in any order.
        settings: Settings of the training; None for the defaults.
        progress: Called after every step; what it raises stops the fit.

    Raises:
        RejectedInput: No cases, two cases of one name, or no tumour in any mask.

    Source: MSTT-199's trainer (Reasat et al.): a triplet of slices of each image, Adam, DiceCE with squared
    predictions; here on slices with and without tumour.
    """
    settings = settings or FitSettings()
    shown = SliceBatches(_ordered(cases), settings)
    with _repeatable(settings) as device:
        network, losses = _fitted(shown, settings, device=device, progress=progress)
    return FittedModel(
        tensors={name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()},
        losses=tuple(losses),
        settings=settings,
        case_count=len(cases),
        patient_count=len({case.patient_id for case in cases}),
        device=device.type,
    )


def package_fitted(fitted: FittedModel, folder: Path, *, name: str, version: str, snapshot_digest: str) -> str:
    """Writes a fitted model as a package that names the snapshot it learned from.

    Args:
        fitted: From `fit_unet25d`.
        folder: Folder of the package.
        name: Kebab-case name of the model.
        version: Its version.
        snapshot_digest: SHA-256 of the snapshot whose masks were the cases.

    Returns:
        The package's digest.

    Raises:
        RejectedInput: Name, version or digest have another form, or another model lies at `folder`.
    """
    settings = asdict(fitted.settings)
    images, label = settings.pop("images"), settings.pop("label")
    parameters = settings.pop("rule") | {"widths": list(settings.pop("widths"))}
    parameters["fit"] = settings | {
        "device": fitted.device,
        "cases": fitted.case_count,
        "patients": fitted.patient_count,
        "first_loss": fitted.losses[0],
        "last_loss": fitted.losses[-1],
    }
    description = ModelDescription(
        name,
        version,
        Method.UNET_25D,
        parameters,
        {"snapshot": snapshot_digest},
        images=images,
        label=label,
    )
    return write_package(folder, description, fitted.tensors)


class SliceBatches:
    """The slices of all cases, and the choice of those in each step.

    Args:
        cases: Images with their masks.
        settings: Of the training.

    Raises:
        RejectedInput: All masks are empty (``fit-no-tumour``).
    """

    def __init__(self, cases: Sequence[TrainingCase], settings: FitSettings) -> None:
        self._settings = settings
        self._random = np.random.default_rng(settings.seed)
        self._stacks: list[NDArray[np.uint8]] = []
        self._targets: list[NDArray[np.bool_]] = []
        filled: list[tuple[int, int]] = []
        empty: list[tuple[int, int]] = []
        for number, case in enumerate(cases):
            stack, target = _pictures_of(case, settings)
            self._stacks.append(stack)
            self._targets.append(target)
            for index, tumour in enumerate(map(np.any, target)):
                (filled if tumour else empty).append((number, index))
        self._filled, self._empty = np.array(filled), np.array(empty)
        if not filled:
            raise RejectedInput(
                "fit-no-tumour",
                "All masks are empty: there is no tumour to learn from.",
                remedy="Approve masks with a tumour before training.",
            )

    def batch(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """One step's input (N, 3 * images, size, size) and target (N, 1, size, size)."""
        settings = self._settings
        empty = self._random.random(settings.batch_size) < settings.empty_slices
        wanted = int(empty.sum()) if len(self._empty) else 0
        chosen = [
            *self._random.choice(self._filled, settings.batch_size - wanted),
            *(self._random.choice(self._empty, wanted) if wanted else ()),
        ]
        images = [triplets(self._stacks[number], [index]) for number, index in chosen]
        targets = [self._targets[number][None, None, index] for number, index in chosen]
        return np.concatenate(images), np.concatenate(targets).astype(np.float32)


def _fitted(
    shown: SliceBatches, settings: FitSettings, *, device: "torch.device", progress: "FitProgress | None"
) -> "tuple[torch.nn.Module, list[float]]":
    import torch
    from monai.losses import DiceCELoss

    from training.networks.unet25d import unet25d

    network = unet25d(settings.widths, images=len(settings.images)).to(device).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    # Dice over the whole batch, so that an empty slice does not count as a Dice of its own.
    criterion = DiceCELoss(sigmoid=True, squared_pred=True, batch=True)
    losses = []
    for step in range(1, settings.steps + 1):
        images, targets = (torch.from_numpy(array).to(device) for array in shown.batch())
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            logits = network(images)
        loss = criterion(logits.float(), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(_finite(loss.item()))
        if progress is not None:
            progress(step, settings.steps, losses[-1])
    return network, losses


def _finite(loss: float) -> float:
    if not np.isfinite(loss):
        raise RejectedInput(
            "fit-diverged",
            "The training diverged: its loss is not finite any more.",
            remedy="Choose a smaller learning rate.",
        )
    return loss


@contextmanager
def _repeatable(settings: FitSettings) -> "Iterator[torch.device]":
    """The training's device, with torch's random numbers and algorithms pinned; both are restored afterwards."""
    import torch

    from training.segmenters.weights import best_device

    device = best_device() if settings.device is None else torch.device(settings.device)
    with (
        torch.random.fork_rng(devices=range(torch.cuda.device_count())),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        torch.manual_seed(settings.seed)
        yield device


def _ordered(cases: Sequence[TrainingCase]) -> list[TrainingCase]:
    if not cases:
        raise RejectedInput("fit-no-cases", "There is no approved case to train on.", remedy="Approve masks first.")
    if len({case.case_id for case in cases}) != len(cases):
        raise RejectedInput("fit-duplicate-case", "A case is given twice.", remedy="List each approved case once.")
    return sorted(cases, key=lambda case: case.case_id)


def _pictures_of(case: TrainingCase, settings: FitSettings) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A case's grey pictures (images, count, size, size) and its mask (count, size, size)."""
    rule = settings.rule
    pictures = PicturePlane.along(case.mask.grid, case.slice_axis)
    volumes = {kind: image_of(case.volumes, kind) for kind in settings.images}
    foreground = pictures.stack(case.mask.foreground).astype(np.float32)
    target = resized_stack(foreground, (rule.input_size, rule.input_size)) >= 0.5
    return case_stack(volumes, pictures, rule), target
