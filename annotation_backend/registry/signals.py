"""Signals of promotions, for the apps above."""

from django.dispatch import Signal

automatic_model_promoted = Signal()
"""Sent after a model was promoted for automatic drawing; carries ``model`` and ``study``."""

model_promoted = Signal()
"""Sent after a model was promoted for anything; carries ``model``, ``kinds`` and ``study``."""
