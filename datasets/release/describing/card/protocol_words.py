"""A protocol in words: what images it asks for, what is drawn on which, and through which stages a case goes."""

from collections.abc import Iterator, Mapping

from datasets.release.describing.card.blocks import Block, Bullets, Inline, Paragraph, listed, said, words
from datasets.release.describing.card.images import MODALITY_WORDS
from datasets.study.protocol import ImageRole, Protocol, Wanted, WantedPlane
from datasets.study.stage import DrawingMethod, Stage, StageWork, WantedSlices

_PEOPLE = {"annotator": "annotator", "radiologist": "radiologist", "data_manager": "data manager"}
_WISHES = {
    Wanted.REQUIRE: "with {}",
    Wanted.PREFER: "with {} where there is a choice",
    Wanted.AVOID: "without {} where there is a choice",
    Wanted.REFUSE: "without {}",
}
_SLICES = {
    WantedSlices.ALL: "all slices are",
    WantedSlices.CENTRE: "the slice where the tumour is largest is",
    WantedSlices.ADJACENT: "the slices beside finished ones, outwards until the tumour ends, are",
}
_HOW = {
    DrawingMethod.AS_PEOPLE_LIKE: ", with masks that models suggest",
    DrawingMethod.AUTOMATIC: ", without a prompt",
    DrawingMethod.INTERACTIVE: ", with a model that answers prompts",
    DrawingMethod.MANUAL: ", by hand alone",
}


def protocol_blocks(design: Protocol) -> Iterator[Block]:
    """The protocol as paragraphs and lists.

    Args:
        design: Its document.
    """
    named = f" (`{design.name}`, version {design.version}; `protocol.json` is its document). It asks for these images:"
    yield Paragraph((*words("The masks were made by the protocol "), design.title, *words(named)))
    yield Bullets(tuple(_image_in_words(image) for image in design.images))
    drawn = design.image(design.drawn).title
    others = [f"on {design.image(role).title} in cases of {kind}" for kind, role in design.drawn_by_tissue_type.items()]
    yield Paragraph((f"Masks are drawn on {listed([drawn, *others])}.",))
    if len(design.labels) > 1:
        names = listed([label.name for label in design.labels])
        yield Paragraph((f"Where two labels are drawn on one voxel, the first of {names} counts.",))
    yield said("A case goes through these stages:")
    titles = {stage.name: stage.title for stage in design.steps}
    yield Bullets(tuple((stage_in_words(stage, titles),) for stage in design.steps), is_numbered=True)


def _image_in_words(image: ImageRole) -> Inline:
    parts = [MODALITY_WORDS[image.modality]]
    parts += [f"{image.weighting}-weighted"] if image.weighting else []
    parts += [f"{image.plane} slices"] if image.plane is not WantedPlane.ANY else []
    named = {"fat suppression": image.fat_suppression, "a contrast agent": image.contrast}
    parts += [_WISHES[wish].format(what) for what, wish in named.items() if wish in _WISHES]
    parts += [] if image.is_required else ["optional"]
    return (f"{image.title}: {', '.join(parts)}.",)


def stage_in_words(stage: Stage, titles: Mapping[str, str]) -> str:
    """What is done in a stage, by whom, and where it sends a case.

    Args:
        stage: The stage.
        titles: Of all stages of the protocol, by name.
    """
    sentences = [f"{stage.title}: {_done(stage)}."]
    if stage.readers > 1:
        blind = ", without seeing the others' work or a model's" if stage.is_blind else ""
        sentences.append(f"Each of the {stage.readers} works alone{blind}.")
    if stage.is_by_another:
        sentences.append("Whoever drew does not do it.")
    if stage.goes_down_on and stage.goes_down_to:
        scores = " or ".join(score.replace("_", " ") for score in stage.goes_down_on)
        sentences.append(f"The score {scores} sends the case to {titles.get(stage.goes_down_to, stage.goes_down_to)}.")
    if stage.returns_to:
        sentences.append(f"A case may be returned to {titles.get(stage.returns_to, stage.returns_to)}.")
    if stage.may_correct:
        sentences.append("Its reviewer may correct the mask.")
    return " ".join(sentences)


def _done(stage: Stage) -> str:
    if stage.does is StageWork.REVIEW:
        return f"the mask of the whole case is looked at and scored, and approved or not, by {_people(stage)}"
    if stage.does is StageWork.ADJUDICATE:
        return f"the readers' masks are compared, and one of them picked or all merged, by {_people(stage)}"
    usual_but_hidden = stage.method is DrawingMethod.AS_PEOPLE_LIKE and stage.hides_models
    return f"{_SLICES[stage.slices]} drawn by {_people(stage)}{'' if usual_but_hidden else _HOW[stage.method]}"


def _people(stage: Stage) -> str:
    if stage.is_automatic:
        return "a model"
    person = _PEOPLE.get(stage.done_by, stage.done_by)
    article = "an" if person[0] in "aeiou" else "a"
    return f"{stage.readers} {person}s" if stage.readers > 1 else f"{article} {person}"
