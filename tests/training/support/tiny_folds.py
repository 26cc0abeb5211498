"""Folders of folds whose models have random weights: what holds of a cross-validation, whatever was learned."""

from collections.abc import Sequence
from pathlib import Path

import torch

from datasets.study.splits.split_case import Folds
from training.inputs.slice_triplets import PictureRule
from training.methods.crossvalidation import TrainedFolds, begin_folds
from training.model_package import ModelDescription, write_package
from training.networks.slice_networks import SliceNetwork, slice_network
from training.segmenters.slices.slice_plan import SlicePlan
from training.segmenters.weights import as_members, tensors_of
from training.table.table import method_called

PLAN = SlicePlan(PictureRule(32), widths=(4, 8))


def write_slice_model(folder: Path, *, seed: int, kinds: Sequence[str] = ("t1",)) -> None:
    """A small 2.5D U-Net with random weights, as a package."""
    torch.manual_seed(seed)
    network = slice_network(SliceNetwork.RESIDUAL, images=len(kinds), widths=PLAN.widths)
    description = ModelDescription(
        "unet-25d-fold",
        str(seed),
        method_called("unet-25d"),
        PLAN.parameters,
        {"cohort": "a" * 64},
        images=tuple(kinds),
    )
    write_package(folder, description, as_members([tensors_of(network)]))


def write_folds(folder: Path, folds: Folds, *, seed: int = 0, kinds: Sequence[str] = ("t1",)) -> TrainedFolds:
    """A cross-validation of such models."""
    trained = begin_folds(folder, folds)
    for number in range(len(folds)):
        write_slice_model(trained.package(number), seed=seed + number, kinds=kinds)
    return trained
