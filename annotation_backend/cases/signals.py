"""What the apps above hear of a case: that it was left out, and that it is in use again."""

from django.dispatch import Signal

case_excluded = Signal()
"""A case was excluded just now (argument: case); sent inside the transaction that says so."""

case_taken_back = Signal()
"""A case is in use again (argument: case); sent inside the transaction that says so."""
