"""Clicks in 2D (DeepGrow): draws the slices that were clicked."""

from training.table.method import Extent, Method, PromptType
from training.table.option import canvas

METHOD = Method(
    name="clicks-2d",
    title="clicks in 2D (DeepGrow)",
    load="training.segmenters.clicks.clicks_2d:Clicks2dSegmenter.from_package",
    user="training.prompts.simulated_user:first_click_user",
    prompts=(PromptType.POINT,),
    serves_first=(PromptType.POINT,),
    extent=Extent.SLICES,
    refines=True,
    is_corrected=True,
    fit="training.fitting.clicks:fit_clicks_2d",
    bundle_networks="training.exchange.bundle.networks:clicked_networks",
    # An iteration holds an optimizer step at each of its clicks, five or six on average.
    iterations=1200,
    options=(canvas(2),),
)
