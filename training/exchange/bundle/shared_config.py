"""The parts of `inference.json` that all of our bundles share: cases, weights, the loop over cases, the mask."""

from collections.abc import Sequence
from typing import Any

from training.exchange.bundle.networks import BundleNetworks
from training.segmenters.postprocessing import Cleaning

RESIZED = (
    "$lambda x, shape: (lambda y: torch.nn.functional.interpolate(y.permute(2, 1, 3, 0), size=(shape[1], shape[2]),"
    " mode='bilinear', antialias=True).permute(1, 0, 2, 3))(torch.nn.functional.interpolate("
    "x.as_subclass(torch.Tensor).permute(3, 0, 1, 2), size=(shape[0], shape[1]), mode='bilinear', antialias=True))"
)
"""(C, i, j, k) to a shape: averaged where it becomes coarser, linear where finer; plane by plane, as torch can."""

IMAGE, PREDICTION = "image", "pred"
"""Keys of the network's input and output, as MONAI's bundles have them."""


def shared_config(images: Sequence[str], networks: BundleNetworks) -> dict[str, Any]:
    """The parts that do not depend on the method.

    Args:
        images: Kinds of the images: each case is a folder with a file ``<kind>.nii.gz`` of each.
        networks: Of the package.
    """
    is_one = len(networks.members) == 1
    return {
        "imports": ["$import glob", "$import os", "$import torch", "$import monai"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/cases'",
        "output_dir": "$@bundle_root + '/masks'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "images": list(images),
        "data": "$[{kind: os.path.join(folder, kind + '.nii.gz') for kind in @images}"
        " for folder in sorted(glob.glob(os.path.join(@dataset_dir, '*', '')))]",
        "dataset": {"_target_": "Dataset", "data": "@data", "transform": "@preprocessing"},
        "network_def": networks.definition,
        "network": "$@network_def.to(@device).eval()",
        "members": "$lambda network: [network]" if is_one else "$lambda network: list(network)",
        "weights": "$torch.load(@bundle_root + '/models/model.pt', map_location=@device, weights_only=True)",
        "resized": RESIZED,
        "drawn": "$lambda case: @postprocessing({**case, 'pred': @inferer(case['image'][None].to(@device),"
        " @network)[0].cpu()})",
        "initialize": ["$torch.set_grad_enabled(False)", "$@network.load_state_dict(@weights)"],
        "run": ["$[@drawn(case)['pred'].shape for case in @dataset]"],
    }


def begun(images: Sequence[str]) -> list[Any]:
    """The first transforms: the images, with axes to right, anterior, superior."""
    return [
        {
            "_target_": "LoadImaged",
            "keys": list(images),
            "reader": "NibabelReader",
            "ensure_channel_first": True,
            "image_only": True,
        },
        {"_target_": "Orientationd", "keys": list(images), "axcodes": "RAS"},
    ]


def postprocessing(first: str, cleaning: Cleaning, label: str) -> dict[str, Any]:
    """From logits on the network's grid to a mask on the first image's, which is saved beside nothing else.

    Args:
        first: Kind of the first image.
        cleaning: Of the mask.
        label: Of the masks' file names.
    """
    cleaned = []
    if cleaning in (Cleaning.LARGEST_COMPONENT, Cleaning.BOTH):
        cleaned.append({"_target_": "KeepLargestConnectedComponentd", "keys": PREDICTION, "connectivity": 3})
    if cleaning in (Cleaning.FILL_HOLES, Cleaning.BOTH):
        cleaned.append({"_target_": "FillHolesd", "keys": PREDICTION, "connectivity": 1})
    return {
        "_target_": "Compose",
        "transforms": [
            f"$lambda case: {{**case, 'pred': @resized(case['pred'], case['{first}'].shape[1:])}}",
            {"_target_": "Activationsd", "keys": PREDICTION, "sigmoid": True},
            {"_target_": "AsDiscreted", "keys": PREDICTION, "threshold": 0.5},
            *cleaned,
            {
                "_target_": "Invertd",
                "keys": PREDICTION,
                "transform": "@preprocessing",
                "orig_keys": first,
                "nearest_interp": True,
                "to_tensor": True,
            },
            {
                "_target_": "SaveImaged",
                "keys": PREDICTION,
                "output_dir": "@output_dir",
                "data_root_dir": "@dataset_dir",
                "output_postfix": label,
                "output_dtype": "$'uint8'",
                "separate_folder": False,
                "resample": False,
                "print_log": False,
            },
        ],
    }
