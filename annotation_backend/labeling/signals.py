"""What an app above does when something happens in Label Studio."""

from django.dispatch import Signal

saves_settled = Signal()
"""What counts of a `case` may be another save or another mask now; sent in the transaction of the change."""

training_asked = Signal()
"""Somebody pressed Label Studio's button *Start Training*."""
