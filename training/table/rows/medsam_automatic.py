"""LiteMedSAM as an automatic method (after MSTT-199): an adapter before it, the whole picture as its box."""

from training.table.method import Extent, Method, Unprompted
from training.table.slice_options import ADAPTER, ENCODER, mstt_199, slice_options

METHOD = Method(
    name="medsam-automatic",
    title="LiteMedSAM, automatic",
    load="training.segmenters.slices.slice_segmenter:SliceSegmenter.from_package",
    user="training.prompts.simulated_user:silent_user",
    unprompted=Unprompted.DRAWS,
    extent=Extent.SLICES,
    fit="training.fitting.slices:fit",
    # An iteration takes two cores some ten seconds.
    iterations=150,
    options=(*slice_options(batch=4, learning_rate=5e-5, weight_decay=0.01), ENCODER, ADAPTER),
    presets={
        "mstt-199": mstt_199(
            "encoder frozen, adapter random as in the published code",
            optimiser="adamw",
            learning_rate=5e-5,
            weight_decay=0.01,
            batch=4,
            epochs=10,
            loss="dice-ce",
            encoder="frozen",
            adapter="frozen",
        )
    },
    sees_all_images=True,
)
