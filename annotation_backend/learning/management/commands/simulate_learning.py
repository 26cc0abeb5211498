"""`simulate_learning`: rounds of annotating, approving and training with a simulated annotator, and what they bring."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.commandline.cohort_arguments import add_cohort, add_device, use_device
from annotation_backend.learning.examples.learned_images import kinds_to_learn, label_to_learn
from annotation_backend.learning.examples.of_folder import examples_of_folder
from annotation_backend.learning.examples.training_examples import TrainingExamples
from annotation_backend.learning.refused_options import require_own_options
from annotation_backend.learning.rounds.in_folder import RoundsRequest, phantom_examples, simulate_rounds
from annotation_backend.learning.rounds.in_study import StudyRounds, simulate_in_study
from annotation_backend.learning.running.arguments import add_running, running_of
from annotation_backend.learning.training_arguments import (
    DEFAULT_METHOD,
    add_options,
    choice_of,
    names,
    seed,
)
from annotation_backend.studies.services import find_study
from datasets.errors import RejectedInput
from datasets.image.mask import TUMOUR
from datasets.study.splits.rule import SplitName, SplitRule
from training.segmenters.postprocessing import Cleaning
from training.table.table import method_called, trainable_methods

if TYPE_CHECKING:
    from training.rounds.rounds import RoundsRules

DEFAULT_FOLDS = 3
STRATEGIES = ("by-hand-outlined", "strokes")


class Command(MaskloopCommand):
    """A model learns from what the annotator left, and its drafts are what the annotator corrects next."""

    help = "Simulate rounds of annotating, approving and training: Dice and actions a case after each."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The cases, the rounds, the training and the annotator."""
        parser.add_argument("--phantoms", type=int, metavar="N", help="so many phantoms, instead of a cohort")
        parser.add_argument(
            "--study",
            metavar="NAME",
            help="a study that is meant for it, instead of a cohort: its cases came with masks, and nobody drew there; "
            "approvals, runs and models are recorded",
        )
        parser.add_argument("--folds", type=int, metavar="N", help="with --study: folds of each training (default 3)")
        parser.add_argument("--rounds", type=int, default=4, metavar="N", help="rounds (default 4)")
        parser.add_argument("--patients", type=int, default=6, metavar="N", help="new patients a round (default 6)")
        parser.add_argument(
            "--method",
            choices=[method.name for method in trainable_methods()],
            default=DEFAULT_METHOD,
            metavar="METHOD",
            help=f"what is trained; it has to draw without a prompt (default {DEFAULT_METHOD})",
        )
        parser.add_argument("--iterations", type=int, help="of each training (default: the method's own number)")
        parser.add_argument(
            "--iterations-a-case", type=int, metavar="N", help="iterations for each approved case, instead"
        )
        parser.add_argument("--preset", metavar="NAME", help="settings of the method that go together")
        parser.add_argument(
            "--strategies",
            type=names,
            default=STRATEGIES,
            metavar="NAME,NAME",
            help="how the annotator works: by-hand-outlined, by-hand, strokes (masks between finished slices, too); "
            "what the first leaves is approved",
        )
        parser.add_argument("--cleaning", choices=list(Cleaning), help="post-processing of the drafts (default none)")
        parser.add_argument("--seed", type=seed, default=0, help="seed of every random choice")
        parser.add_argument(
            "--out",
            type=a_path,
            required=True,
            metavar="FOLDER",
            help="all masks, models and the report; goes on there",
        )
        parser.add_argument("--about", default="", metavar="TEXT", help="a remark on the data and their limits")
        parser.add_argument("--case-table", type=a_path, metavar="FILE.csv", help="case, patient of each case")
        add_options(parser.add_argument_group("of some methods"))
        add_running(parser)
        add_cohort(parser, required=False)
        add_device(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Works the rounds through, or goes on with them."""
        from training.annotators.study import StudyRules
        from training.rounds.rounds import RoundsRules, strategies_of

        use_device(options)
        require_own_options(options, options["method"])
        if options["iterations"] is not None and options["iterations_a_case"] is not None:
            raise RejectedInput(
                "options-incomplete", "--iterations and --iterations-a-case exclude each other.", remedy="Give one."
            )
        _require_one_source(options)

        def rules(channels: tuple[str, ...], label: str) -> RoundsRules:
            return RoundsRules(
                choice_of(options | {"steps": None}, channels, label),
                options["iterations_a_case"],
                strategies_of(options["strategies"]),
                StudyRules(seed=options["seed"]),
                Cleaning(options["cleaning"] or Cleaning.NONE),
            )

        if options["study"] is not None:
            found, findings = self._in_study(options, rules), list[str]()
        else:
            examples, channels = _examples(options)
            numbers = options["rounds"], options["patients"]
            request = RoundsRequest(examples, rules(channels, TUMOUR), *numbers, options["out"], options["about"])
            found = simulate_rounds(request, self.progress, running=running_of(options))
            findings = list(examples.findings)
        self._tell(found)
        return found, findings

    def _in_study(
        self, options: dict[str, Any], rules: "Callable[[tuple[str, ...], str], RoundsRules]"
    ) -> dict[str, Any]:
        study = find_study(options["study"])
        kinds = kinds_to_learn(study.protocol, sees_all_images=method_called(options["method"]).sees_all_images)
        folds = DEFAULT_FOLDS if options["folds"] is None else options["folds"]
        wanted = StudyRounds(
            study,
            rules(kinds, label_to_learn(study.protocol)),
            options["rounds"],
            options["patients"],
            SplitRule(SplitName.STRATIFIED, folds=folds, seed=0),
            options["out"],
            options["about"],
        )
        return simulate_in_study(wanted, self.progress, running=running_of(options))

    def _tell(self, found: dict[str, Any]) -> None:
        for name, points in found["curves"].items():
            self.say(f"{name}, {len(found['held_out'])} held-out cases:")
            for point in points:
                self.say(
                    f"  {point['cases']:3d} approved: Dice of drafts {point['dice'][0]:.3f}, "
                    f"{point['actions'][0]:.1f} actions a case"
                )
        self.say(f"Report written: {found['files'][0]}")


def _require_one_source(options: dict[str, Any]) -> None:
    """Refuses cases from nowhere or from several places, and options of another one.

    Raises:
        RejectedInput: ``options-incomplete``, ``option-elsewhere``.
    """
    if sum(options[name] is not None for name in ("cohort", "phantoms", "study")) != 1:
        raise RejectedInput(
            "options-incomplete", "The cases come from --cohort, --phantoms or --study.", remedy="Give one of them."
        )
    if options["study"] is None and options["folds"] is not None:
        raise RejectedInput("option-elsewhere", "--folds can only be used with --study.", remedy="Leave it out.")
    if options["study"] is not None and options["cleaning"] is not None:
        raise RejectedInput(
            "option-elsewhere", "With --study each training chooses its own post-processing.", remedy="Leave it out."
        )


def _examples(options: dict[str, Any]) -> tuple[TrainingExamples, tuple[str, ...]]:
    """The cases, and the kinds of their images.

    Raises:
        RejectedInput: A cohort without its globs (``options-incomplete``).
    """
    if options["phantoms"] is not None:
        examples = phantom_examples(options["phantoms"], seed=options["seed"])
        return examples, tuple(examples.load(next(iter(examples.cases))).volumes)
    if not (options["image_glob"] and options["mask_glob"]):
        raise RejectedInput("options-incomplete", "--cohort needs --image-glob and --mask-glob.", remedy="Give both.")
    return examples_of_folder(
        options["cohort"],
        options["image_glob"],
        options["mask_glob"],
        resample=options["resample"],
        mask_value=options["mask_value"],
        table=options["case_table"],
    )
