"""The 2.5D U-Net (after MSTT-199): draws every slice by itself, from three neighbouring slices of each image."""

from datasets.study.image_kind import T1, T2
from training.table.method import Extent, Method, Unprompted
from training.table.slice_options import ENCODER_WEIGHTS, FIRST_LAYER, NETWORK, PICTURE_SIZE, mstt_199, slice_options

METHOD = Method(
    name="unet-25d",
    title="2.5D U-Net",
    load="training.segmenters.slices.slice_segmenter:SliceSegmenter.from_package",
    user="training.prompts.simulated_user:silent_user",
    unprompted=Unprompted.DRAWS,
    extent=Extent.SLICES,
    earlier_images=(T1, T2),
    fit="training.fitting.slices:fit",
    bundle_networks="training.exchange.bundle.networks:slice_networks",
    iterations=2000,
    options=(
        *slice_options(batch=16, learning_rate=3e-3, weight_decay=1e-4, planes="three"),
        NETWORK,
        PICTURE_SIZE,
        ENCODER_WEIGHTS,
        FIRST_LAYER,
    ),
    presets={
        "mstt-199": mstt_199(
            "SE-ResNeXt50 encoder, published hyperparameters",
            network="se-resnext50",
            first_layer="fresh",
            picture_size=256,
        )
    },
    sees_all_images=True,
)
