"""Two stages (2S-ICR): one network draws automatically, a second one corrects it from clicks."""

from training.table.method import Method, PromptType, Unprompted
from training.table.option import Option, canvas

AUTOMATIC_ITERATIONS = Option(
    "automatic_iterations", "iterations of the first network, 700 unless given", is_whole=True, least=1
)

METHOD = Method(
    name="two-stage",
    title="two stages (2S-ICR)",
    load="training.segmenters.clicks.clicks_3d:Clicks3dSegmenter.from_package",
    user="training.prompts.simulated_user:click_user",
    prompts=(PromptType.POINT,),
    unprompted=Unprompted.WHEN_ASKED,
    refines=True,
    is_corrected=True,
    fit="training.fitting.clicks:fit_two_stage",
    bundle_networks="training.exchange.bundle.networks:clicked_networks",
    # Of the second network; an iteration holds an optimizer step at each of its clicks, five or six on average.
    iterations=350,
    options=(canvas(3), AUTOMATIC_ITERATIONS),
)
