"""Runs one of nnU-Net's own programs; run by the Python of nnU-Net's environment, so it imports nothing of ours.

nnU-Net's networks import timm, which imports torchvision, whose wheel is linked against CUDA. Where torch is built for
the processor alone, its library cannot be loaded, and its import fails because two operators are not declared, of which
nnU-Net uses neither. They are declared here, without a body, before it is imported again.
"""

# mypy: ignore-errors
import os
import sys
from importlib import import_module

ITERATIONS = "MASKLOOP_NNUNET_ITERATIONS"
"""Environment variable with the iterations of an epoch; nnU-Net's own 250 where it is not set."""

PROGRAMS = {
    "plan": "nnunetv2.experiment_planning.plan_and_preprocess_entrypoints:plan_and_preprocess_entry",
    "train": "nnunetv2.run.run_training:run_training_entry",
    "predict": "nnunetv2.inference.predict_from_raw_data:predict_entry_point_modelfolder",
}
"""nnU-Net's programs, by what they are called here; their arguments are their own."""

_OPERATORS = ("nms", "qnms")
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def declare_operators():
    """Makes torchvision importable on a torch without CUDA; returns what must be kept alive."""
    try:
        import torchvision
    except RuntimeError:
        import torch

        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for name in _OPERATORS:
            library.define(f"{name}{_SIGNATURE}")
        import torchvision  # noqa: F401

        return library
    except ImportError:  # without torchvision, timm says itself what it lacks
        return None
    return None


def shorten_epochs():
    """Lets an epoch have as many iterations as `ITERATIONS` says."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    usual = nnUNetTrainer.on_train_start

    def begun(self):
        self.num_iterations_per_epoch = int(os.environ[ITERATIONS])
        self.num_val_iterations_per_epoch = max(1, self.num_iterations_per_epoch // 5)
        usual(self)

    nnUNetTrainer.on_train_start = begun


# Outside the guard: the workers that nnU-Net starts import this file again, and need it too.
KEPT = declare_operators()

if __name__ == "__main__":
    module, _, function = PROGRAMS[sys.argv[1]].partition(":")
    sys.argv = sys.argv[1:]
    if os.environ.get(ITERATIONS):
        shorten_epochs()
    getattr(import_module(module), function)()
