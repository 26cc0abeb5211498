"""The 3D U-Net on whole volumes (after nnU-Net): draws by itself."""

from training.table.method import Method, Unprompted
from training.table.option import Option

BUDGET = Option(
    "budget",
    "most voxels of a tile, into which the median volume is made to fit",
    default=262_144,
    is_whole=True,
    least=4096,
)

VIEW = Option(
    "view",
    "how it looks at a volume",
    default="tiles",
    words={
        "tiles": "in its own spacing, tile by tile",
        "whole": "resized to one tile: for volumes that are cut around their tumour",
    },
)

METHOD = Method(
    name="unet-3d",
    title="3D U-Net",
    load="training.segmenters.volumes:VolumeSegmenter.from_package",
    user="training.prompts.simulated_user:silent_user",
    unprompted=Unprompted.DRAWS,
    fit="training.fitting.volumes:fit",
    bundle="training.exchange.bundle.volume_config:volume_config",
    bundle_networks="training.exchange.bundle.networks:planned_networks",
    iterations=1500,
    options=(BUDGET, VIEW),
    planned={"network": "networks", "spacing": "spacings", "canvas": "canvases"},
)
