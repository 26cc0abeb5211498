"""The network of a MONAI Bundle made elsewhere: draws by itself."""

from training.table.method import Method, Unprompted

METHOD = Method(
    name="imported-bundle",
    title="MONAI Bundle (imported)",
    load="training.segmenters.imported.bundle:ImportedBundleSegmenter.from_package",
    user="training.prompts.simulated_user:silent_user",
    unprompted=Unprompted.DRAWS,
)
