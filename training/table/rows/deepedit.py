"""DeepEdit: draws automatically, then from clicks, with one network."""

from training.table.method import Method, PromptType, Unprompted
from training.table.option import Option, canvas

CLICK_FREE = Option("click_free", "share of iterations without clicks", default=0.25, most=1.0)

METHOD = Method(
    name="deepedit",
    title="DeepEdit",
    load="training.segmenters.clicks.clicks_3d:Clicks3dSegmenter.from_package",
    user="training.prompts.simulated_user:click_user",
    prompts=(PromptType.POINT,),
    unprompted=Unprompted.WHEN_ASKED,
    refines=True,
    is_corrected=True,
    fit="training.fitting.clicks:fit_clicks_3d",
    bundle_networks="training.exchange.bundle.networks:clicked_networks",
    iterations=900,
    options=(canvas(3), CLICK_FREE),
)
