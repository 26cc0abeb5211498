"""nnU-Net, trained in its own environment or elsewhere, and imported: draws by itself."""

from training.table.method import Method, Unprompted

METHOD = Method(
    name="nnunet",
    title="nnU-Net (imported)",
    load="training.segmenters.imported.nnunet:NnunetSegmenter.from_package",
    user="training.prompts.simulated_user:silent_user",
    unprompted=Unprompted.DRAWS,
    bundle_networks="training.exchange.bundle.networks:nnunet_networks",
)
