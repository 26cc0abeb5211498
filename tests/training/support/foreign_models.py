"""Models as others make them: a bundle around a network of MONAI's, and nnU-Net's plain U-Net with its plans."""

import json
from pathlib import Path
from typing import Any

import torch
from monai.networks.nets import UNet
from torch import Tensor, nn

UNET = {
    "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2], "num_res_units": 1,
}  # fmt: skip
PREPROCESSING: list[dict[str, Any]] = [
    {"_target_": "LoadImaged", "keys": "image"},
    {"_target_": "EnsureChannelFirstd", "keys": "image"},
    {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
    {"_target_": "Spacingd", "keys": "image", "pixdim": [2.0, 2.0, 3.0], "mode": "bilinear"},
    {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True},
]
POSTPROCESSING: list[dict[str, Any]] = [
    {"_target_": "Activationsd", "keys": "pred", "softmax": True},
    {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image"},
    {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
]


def foreign_config(**changed: Any) -> dict[str, Any]:
    """`inference.json` as MONAI's tutorials write it, with parts changed."""
    config = {
        "imports": ["$import glob"],
        "device": "$torch.device('cpu')",
        "roi_size": [16, 16, 8],
        "network_def": {"_target_": "UNet"} | UNET,
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": PREPROCESSING},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": "@roi_size", "overlap": 0.5, "sw_batch_size": 4},
        "postprocessing": {"_target_": "Compose", "transforms": POSTPROCESSING},
    }
    return config | changed


def write_foreign_bundle(folder: Path, config: dict[str, Any] | None = None, weights: Any = None) -> UNet:
    """Writes a bundle with random weights of a fixed seed; gives its network."""
    torch.manual_seed(3)
    network = UNet(**UNET)
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    (folder / "configs" / "metadata.json").write_text(json.dumps({"version": "0.1.0"}))
    (folder / "configs" / "inference.json").write_text(json.dumps(config or foreign_config()))
    torch.save(network.state_dict() if weights is None else weights, folder / "models" / "model.pt")
    return network.eval()


WIDTHS, KERNELS = [4, 8, 8], [[1, 3, 3], [3, 3, 3], [3, 3, 3]]
STRIDES = [[1, 1, 1], [1, 2, 2], [2, 2, 2]]
ARCHITECTURE: dict[str, Any] = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": {
        "n_stages": 3, "features_per_stage": WIDTHS, "kernel_sizes": KERNELS, "strides": STRIDES,
        "n_conv_per_stage": [2, 2, 2], "n_conv_per_stage_decoder": [2, 2], "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d", "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None, "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
    },
}  # fmt: skip


class _Conv(nn.Module):
    def __init__(self, before: int, after: int, kernel: list[int], stride: list[int]) -> None:
        super().__init__()
        self.conv = nn.Conv3d(before, after, kernel, stride, [(size - 1) // 2 for size in kernel])
        self.norm = nn.InstanceNorm3d(after, eps=1e-5, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.leaky_relu(self.norm(self.conv(x)), 0.01)


class _Stage(nn.Module):
    def __init__(self, before: int, after: int, kernel: list[int], stride: list[int]) -> None:
        super().__init__()
        self.convs = nn.Sequential(_Conv(before, after, kernel, stride), _Conv(after, after, kernel, [1, 1, 1]))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.convs(x)
        return found


class PlainUNet(nn.Module):
    """nnU-Net's plain U-Net by the names and the layout of dynamic_network_architectures 0.4, two classes out."""

    def __init__(self) -> None:
        super().__init__()
        befores = [1, *WIDTHS[:-1]]
        stages = [
            nn.Sequential(_Stage(*each)) for each in zip(befores, WIDTHS, KERNELS, STRIDES, strict=True)
        ]  # fmt: skip
        self.encoder = nn.Module()
        self.encoder.stages = nn.Sequential(*stages)
        self.decoder = nn.Module()
        up = [(WIDTHS[-step], WIDTHS[-step - 1], STRIDES[-step], KERNELS[-step - 1]) for step in (1, 2)]
        self.decoder.transpconvs = nn.ModuleList(
            nn.ConvTranspose3d(below, own, stride, stride) for below, own, stride, _ in up
        )
        self.decoder.stages = nn.ModuleList(_Stage(2 * own, own, kernel, [1, 1, 1]) for _, own, _, kernel in up)
        self.decoder.seg_layers = nn.ModuleList(nn.Conv3d(own, 2, 1) for _, own, _, _ in up)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for stage in self.encoder.stages:
            x = stage(x)
            skips.append(x)
        for step in range(2):
            raised = self.decoder.transpconvs[step](x)
            x = self.decoder.stages[step](torch.cat((raised, skips[-step - 2]), 1))
        found: Tensor = self.decoder.seg_layers[-1](x)
        return found


def plans(**changed: Any) -> dict[str, Any]:
    """`plans.json` of nnU-Net 2.8, as far as it is read."""
    resampling = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    chosen = {
        "preprocessor_name": "DefaultPreprocessor", "patch_size": [8, 16, 16], "spacing": [3.0, 1.5, 1.5],
        "normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [False], "architecture": ARCHITECTURE,
        "resampling_fn_data": "resample_data_or_seg_to_shape", "resampling_fn_data_kwargs": resampling,
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": resampling | {"order": 1},
    }  # fmt: skip
    return {"transpose_forward": [0, 1, 2], "configurations": {"3d_fullres": chosen | changed}}


def write_results(folder: Path, *, changed: dict[str, Any] | None = None, extra: Any = None) -> Path:
    """Writes a result folder of one fold with random weights; gives it."""
    import numpy as np

    torch.manual_seed(5)
    results = folder / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    (results / "fold_0").mkdir(parents=True)
    (results / "plans.json").write_text(json.dumps(plans(**changed or {})))
    (results / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "Tumour": 1}}))
    checkpoint = {
        "network_weights": PlainUNet().state_dict(),
        "logging": {"ema_fg_dice": [np.float64(0.5)], "lrs": [np.float32(0.01)]},
        "inference_allowed_mirroring_axes": (0, 1, 2),
        "extra": extra,
    }
    torch.save(checkpoint, results / "fold_0" / "checkpoint_final.pth")
    return results
