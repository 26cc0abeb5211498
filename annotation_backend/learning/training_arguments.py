"""The arguments of `train_model`, and the combinations that are refused."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from annotation_backend.commandline.arguments import a_path
from annotation_backend.commandline.cohort_arguments import add_cohort, add_device
from annotation_backend.learning.running.arguments import add_running
from annotation_backend.learning.splitting.arguments import add_splitting
from datasets.errors import RejectedInput
from datasets.image.mask import TUMOUR
from datasets.study.splits.split_case import LARGEST_SEED
from training.fitting.choice import TrainingChoice
from training.segmenters.postprocessing import Cleaning
from training.table.method import Method
from training.table.option import Option
from training.table.table import method_called, trainable_methods

DEFAULT_METHOD = "unet-25d"
"""What is trained where no method is named, and by Label Studio's button."""


def add_training(parser: ArgumentParser) -> None:
    """Adds method, training examples, duration and output."""
    trainable = trainable_methods()
    parser.add_argument(
        "method",
        nargs="?",
        choices=list(map(str, trainable)),
        metavar="METHOD",
        default=DEFAULT_METHOD,
        help=f"{'; '.join(f'{method}: {method.title}' for method in trainable)} (default {DEFAULT_METHOD})",
    )
    own = ", ".join(f"{method} {method.iterations}" for method in trainable)
    parser.add_argument("--iterations", type=int, help=f"default: some minutes a fold on two cores ({own})")
    parser.add_argument("--steps", type=int, help=f"the same for {DEFAULT_METHOD}, as it was called before")
    parser.add_argument("--seed", type=seed, default=0, help="seed of every random choice")
    parser.add_argument("--dry-run", action="store_true", help="only list the training examples")
    add_device(parser)
    on_all = ", ".join(method.name for method in trainable if method.sees_all_images)
    parser.add_argument(
        "--channels",
        nargs="+",
        metavar="IMAGE",
        help="images of approved cases, by their names in the protocol (default: its first required image; all "
        f"required ones for {on_all})",
    )
    parser.add_argument(
        "--label", help=f"the label to learn (default: the first that prompts draw; with --cohort {TUMOUR})"
    )
    add_splitting(parser)
    parser.add_argument("--ensemble", action="store_true", help="write the folds as one model")
    parser.add_argument(
        "--name", help="name of the model (default: the method; from approved masks own-METHOD where one is shipped)"
    )
    presets = "; ".join(
        f"{name}: {preset.help} ({method})" for method in trainable for name, preset in method.presets.items()
    )
    parser.add_argument("--preset", metavar="NAME", help=f"settings that go together: {presets}")
    add_options(parser.add_argument_group("of some methods"))
    add_running(parser)
    add_cohort(parser, required=False)
    _add_folder(parser.add_argument_group("with --cohort"))


def add_options(group: Any) -> None:
    """Adds the options of single methods, each once."""
    for name, owners in option_owners().items():
        option = next(iter(owners.values()))
        default = f", default {option.default_text}" if option.default_text else ""
        axes = max(each.axes for each in owners.values())
        group.add_argument(
            option.flag,
            dest=name,
            metavar="FILE" if option.is_file else "WORD" if option.words else ",".join("IJK"[:axes]) or "N",
            # argparse reads a percent sign as the beginning of a value of its own
            help=f"{option.meanings} ({', '.join(owners)}{default})".replace("%", "%%"),
        )


def option_owners() -> dict[str, dict[str, Option]]:
    """The options of single methods by name, each by the method that has it."""
    found: dict[str, dict[str, Option]] = {}
    for method in trainable_methods():
        for option in method.options:
            found.setdefault(option.name, {})[method.name] = option
    return found


def seed(text: str) -> int:
    """A seed, 0 to 2**32 - 1; as `choices`, argparse would list them all in its help."""
    found = int(text)
    if not 0 <= found <= LARGEST_SEED:
        raise ArgumentTypeError(f"expected a seed from 0 to {LARGEST_SEED}, got {found}")
    return found


def _add_folder(group: Any) -> None:
    group.add_argument("--without", type=names, default=(), metavar="CASE,CASE", help="leave these cases out")
    group.add_argument(
        "--out", type=a_path, metavar="FOLDER", help="folds, packages, checkpoints; a stopped training goes on"
    )
    group.add_argument("--fold", type=int, metavar="K", help="only fold K, from 1, so that machines share the work")
    group.add_argument("--model-version", metavar="VERSION", help="version of the model (default 1)")
    group.add_argument("--cleaning", choices=list(Cleaning), help="post-processing of a final model (default none)")


def choice_of(options: dict[str, Any], channels: tuple[str, ...], label: str) -> TrainingChoice:
    """The training that the options describe.

    Args:
        options: Of the command.
        channels: Kinds of the images.
        label: That the masks hold.

    Raises:
        RejectedInput: A number is out of range, or the method has no such preset.
    """
    method = method_called(options["method"])
    choice = TrainingChoice(
        method,
        channels=channels,
        iterations=options["steps"] if options["iterations"] is None else options["iterations"],
        seed=options["seed"],
        label=label,
        options=_own_options(method, options),
        accumulate=options["accumulate"],
        patience=options["patience"],
    )
    return choice.with_preset(options["preset"]) if options["preset"] else choice


def _own_options(method: Method, options: dict[str, Any]) -> dict[str, Any]:
    """The method's own options that were given.

    Raises:
        RejectedInput: One is no number (``option-value``).
    """
    found = {}
    for option in method.options:
        if (text := options[option.name]) is not None:
            try:
                found[option.name] = option.read(text)
            except ValueError as error:
                raise RejectedInput(
                    "option-value",
                    f"{option.flag} {text!r} is no {'whole ' if option.is_whole else ''}number.",
                    remedy="See --help.",
                ) from error
    return found


def fold_numbers(fold: int | None, count: int) -> list[int]:
    """The folds to train, counted from 0.

    Raises:
        RejectedInput: There is no such fold.
    """
    if fold is None:
        return list(range(count))
    if not 1 <= fold <= count:
        raise RejectedInput("fold-number", f"Expected a fold from 1 to {count}, got {fold}.", remedy="Choose one.")
    return [fold - 1]


def names(value: str) -> tuple[str, ...]:
    """An argparse type: names with commas between them."""
    return tuple(name.strip() for name in value.split(",") if name.strip())
