"""Signals by which review notifies the apps above."""

from django.dispatch import Signal

case_opened = Signal()
"""A `person` was shown the review page of a `case` just now, with a `mask` and the digest of all (`seen_sha256`)."""
