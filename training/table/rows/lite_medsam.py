"""LiteMedSAM (Ma et al.): segments what a box holds, slice by slice, on any kind of image."""

from training.table.method import Extent, Method, PromptType, Unprompted

METHOD = Method(
    name="lite-medsam",
    title="LiteMedSAM",
    load="training.segmenters.boxes.lite_medsam:LiteMedSamSegmenter.from_package",
    user="training.prompts.simulated_user:box_user",
    prompts=(PromptType.BOX, PromptType.POINT),
    serves_first=(PromptType.AUTOMATIC, PromptType.BOX, PromptType.POINT),
    unprompted=Unprompted.AROUND_CONTOUR,
    extent=Extent.SLICES,
    takes_any_image=True,
    draws_any_label=True,
    embeds=True,
    convert="training.pretrained.lite_medsam:convert_lite_medsam",
)
