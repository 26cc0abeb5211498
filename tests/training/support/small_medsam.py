"""A small SAM under segment-anything's names, with weights drawn from a seed: MedSAM's own are 375 MB."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.training.segmenters.golden.make_medsam_vit_golden import drawn_weights

GOLDEN = Path(__file__).parents[1] / "segmenters" / "golden" / "medsam_vit.npz"


def golden() -> dict[str, Any]:
    """What segment-anything answered; see `segmenters/golden/README.md`."""
    with np.load(GOLDEN, allow_pickle=False) as kept:
        return dict(kept)


def published_tensors() -> dict[str, Any]:
    """torch tensors of the small network, by segment-anything's names."""
    import torch

    kept = golden()
    shapes = {
        str(name): tuple(int(side) for side in shape if side)
        for name, shape in zip(kept["names"], kept["shapes"], strict=True)
    }
    return {name: torch.from_numpy(value) for name, value in drawn_weights(shapes).items()}


def write_checkpoint(path: Path) -> Path:
    """The small network as ``medsam_vit_b.pth`` would hold it."""
    import torch

    torch.save(published_tensors(), path)
    return path
