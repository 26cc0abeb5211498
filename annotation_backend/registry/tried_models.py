"""Models as commands that try them are given them: ``NAME=MODEL``, and ``FOLDER+FOLDER`` for the mean of several."""

from dataclasses import replace
from pathlib import Path

from annotation_backend.registry.chosen_model import MEAN, ChosenModel, choose_model
from datasets.errors import RejectedInput
from training.table.method import PromptType


def named_model(given: str) -> ChosenModel:
    """The model of ``NAME=MODEL``, called so, or of ``MODEL``, by its own name.

    Args:
        given: With a model as `choose_model` finds it, or folders with a plus between them for their mean.

    Raises:
        RejectedInput: As `choose_model`; the members of a mean do not fit together (``mean-prompted``, ``mean-labels``,
            ``mean-folds``).
    """
    name, model = name_and_rest(given)
    parts = model.split("+")
    are_folders = len(parts) > 1 and all(Path(part).is_dir() for part in parts)
    found = _mean(tuple(map(choose_model, parts))) if are_folders else choose_model(model)
    return replace(found, title=name) if name else found


def name_and_rest(given: str) -> tuple[str, str]:
    """The name and the rest of ``NAME=REST``; no name, and all of it, where there is none or a file is called so."""
    name, is_named, rest = given.partition("=")
    return (name, rest) if is_named and not Path(given).exists() else ("", given)


def _mean(members: tuple[ChosenModel, ...]) -> ChosenModel:
    """The mean of several models that draw one label by themselves; of folds, on the same folds.

    Raises:
        RejectedInput: ``mean-prompted``, ``mean-labels`` or ``mean-folds``.
    """
    names = ", ".join(each.title for each in members)
    described = [each.description for each in members]
    if any(each.method.usual_prompt is not PromptType.AUTOMATIC for each in described):
        raise RejectedInput(
            "mean-prompted",
            f"A mean is taken of models that draw by themselves, and not all of {names} do.",
            remedy="Leave out those that take prompts.",
        )
    if len({each.drawn_label for each in described}) > 1:
        raise RejectedInput(
            "mean-labels", f"The models {names} draw different labels.", remedy="Take the mean of models of one label."
        )
    if len({frozenset(map(frozenset, each.folds)) for each in members}) > 1:
        raise RejectedInput(
            "mean-folds",
            f"The models {names} were not trained on the same folds, so that a case would be drawn by one that saw it.",
            remedy="Give folders of folds that were trained with the same cases, --folds and --seed, or packages.",
        )
    kinds = tuple(dict.fromkeys(kind for each in described for kind in each.kinds))
    digest = "" if members[0].is_of_folds else members[0].digest
    described_as = replace(described[0], images=kinds)
    return ChosenModel(f"{MEAN} of {names}", described_as, members[0].folder, digest, members)
