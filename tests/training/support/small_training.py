"""Trainings that end within seconds: small networks, small canvases, two iterations."""

from importlib import import_module
from typing import Any

import pytest

from training.fitting.choice import TrainingChoice
from training.inputs.slice_triplets import PictureRule
from training.segmenters.slices.slice_plan import SlicePlan
from training.table.method import Method

SMALL: dict[tuple[str, str], dict[str, Any]] = {
    ("training.fitting.clicks", "ClickSettings"): {"most_clicks": 2, "widths": (4, 8, 8)},
    ("training.fitting.six_points", "PointsSettings"): {"budget": 3000, "supervised": 1, "widths": (4, 8, 8)},
    ("training.fitting.volumes", "VolumeSettings"): {"budget": 4096, "supervised": 1, "widths": (4, 8, 8)},
    ("training.fitting.slices", "SliceSettings"): {"batch": 4, "plan": SlicePlan(PictureRule(32), widths=(4, 8))},
}
"""What the settings of a fit are changed to, by their module and class."""

_OPTIONS = {"canvas": (16, 16, 8), "automatic_iterations": 2, "learning_rate": 2e-2}


def make_small(patch: pytest.MonkeyPatch) -> None:
    """Changes the settings of all fits to small ones."""
    for (module, name), values in SMALL.items():
        settings = getattr(import_module(module), name)
        patch.setattr(f"{module}.{name}", _smaller(settings, values))


def small_choice(
    method: Method, channels: tuple[str, ...] = ("t1",), *, seed: int = 0, iterations: int = 2, **options: Any
) -> TrainingChoice:
    """A choice of two iterations, with small values for the method's options, or those that are given."""
    small = {
        option.name: _OPTIONS[option.name][: option.axes] if option.axes else _OPTIONS[option.name]
        for option in method.options
        if option.name in _OPTIONS
    }
    return TrainingChoice(method, channels, iterations, seed=seed, options=small | options)


def _smaller(settings: Any, values: dict[str, Any]) -> Any:
    class Smaller(settings):  # type: ignore[misc]
        def __init__(self, **given: Any) -> None:
            super().__init__(**given | values)

    return Smaller
