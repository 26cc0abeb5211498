"""MedSAM with its full-sized encoder (Ma et al.); its weights come from a file that the user has."""

from training.table.method import Extent, Method, PromptType

METHOD = Method(
    name="medsam-vit",
    title="MedSAM, ViT-B",
    load="training.segmenters.boxes.medsam_vit:MedSamVitSegmenter.from_package",
    user="training.prompts.simulated_user:box_user",
    prompts=(PromptType.BOX, PromptType.POINT),
    serves=(PromptType.BOX,),
    extent=Extent.SLICES,
    takes_any_image=True,
    draws_any_label=True,
    embeds=True,
)
