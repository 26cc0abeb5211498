"""Signals by which accounts notify the apps above."""

from django.dispatch import Signal

account_closed = Signal()
"""A `person` has no account any more since just now; sent after it is so."""
