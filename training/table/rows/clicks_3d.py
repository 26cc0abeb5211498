"""Clicks in 3D (DeepGrow)."""

from training.table.method import Method, PromptType
from training.table.option import canvas

METHOD = Method(
    name="clicks-3d",
    title="clicks in 3D (DeepGrow)",
    load="training.segmenters.clicks.clicks_3d:Clicks3dSegmenter.from_package",
    user="training.prompts.simulated_user:click_user",
    prompts=(PromptType.POINT,),
    refines=True,
    is_corrected=True,
    fit="training.fitting.clicks:fit_clicks_3d",
    bundle_networks="training.exchange.bundle.networks:clicked_networks",
    iterations=900,
    options=(canvas(3),),
)
