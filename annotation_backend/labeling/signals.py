"""What Label Studio asks for and an app above does."""

from django.dispatch import Signal

training_asked = Signal()
"""Somebody pressed Label Studio's button *Start Training*."""
