"""The 2.5D U-Net (after MSTT-199): draws every slice by itself, from three neighbouring slices of each image."""

from datasets.study.image_kind import T1, T2
from training.table.method import Extent, Method, Unprompted
from training.table.option import Option

EMPTY_SLICES = Option(
    "empty_slices",
    "share of slices without tumour; with 0 (MSTT-199) the network draws tumours on slices without one",
    default=0.25,
    most=0.95,
)

METHOD = Method(
    name="unet-25d",
    title="2.5D U-Net",
    load="training.segmenters.unet25d:UNet25dSegmenter.from_package",
    user="training.prompts.simulated_user:silent_user",
    unprompted=Unprompted.DRAWS,
    extent=Extent.SLICES,
    earlier_images=(T1, T2),
    fit="training.fitting.unet25d:fit",
    iterations=300,
    options=(EMPTY_SLICES,),
    sees_all_images=True,
)
