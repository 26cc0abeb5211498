"""`train_model`: a 2.5D U-Net learns from the approved masks."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.learning.services import snapshot_content, take_snapshot, train
from annotation_backend.management.arguments import MaskloopCommand

FEW_CASES = 10


class Command(MaskloopCommand):
    """Trains on approved masks only and registers the model; `promote_model` lets it serve."""

    help = "Train a 2.5D U-Net on the approved masks and register it (promote_model lets it serve)."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Steps and seed, and a look at what would be learned from."""
        parser.add_argument("--steps", type=int, default=60, help="optimizer steps (default 60)")
        seeds = range(2**32)
        parser.add_argument("--seed", type=int, default=0, choices=seeds, metavar="SEED", help="of every random choice")
        parser.add_argument("--dry-run", action="store_true", help="only say what it would learn from")

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Snapshot, training, registration."""
        from training.fitting.unet25d import FitSettings

        cases = [entry["case"] for entry in snapshot_content()["cases"]]
        self.say(f"{len(cases)} approved mask(s): {', '.join(cases)}")
        if len(cases) < FEW_CASES:
            self.say("So few cases teach a model little: expect it to draw poorly on other patients.")
        if options["dry_run"]:
            return {"cases": cases}, []
        snapshot = take_snapshot()
        settings = FitSettings(steps=options["steps"], seed=options["seed"])
        run = train(snapshot, settings, progress=self.progress("training step"))
        self.say(f"{run.model}: registered. `manage.py promote_model {run.model}` lets it serve.")
        document = {"model": str(run.model), "snapshot": snapshot.digest, "cases": cases, "final_loss": run.losses[-1]}
        return document, []
