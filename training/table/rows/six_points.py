"""Six points at the tumour's ends (InteractiveNet)."""

from training.table.method import Method, PromptType

METHOD = Method(
    name="six-points",
    title="six points (InteractiveNet)",
    load="training.segmenters.six_points:SixPointsSegmenter.from_package",
    user="training.prompts.simulated_user:six_point_user",
    prompts=(PromptType.EXTREME_POINTS,),
    serves_first=(PromptType.EXTREME_POINTS,),
    fit="training.fitting.six_points:fit",
    bundle_networks="training.exchange.bundle.networks:planned_networks",
    iterations=600,
    planned={"network": "networks", "spacing": "spacings"},
)
