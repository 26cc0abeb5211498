"""Signals by which accounts ask the apps above."""

from django.dispatch import Signal

second_factor_asked = Signal()
"""Whether a `person` needs a second factor; a receiver answers True where they do."""

newcomer_asked = Signal()
"""Somebody proved, elsewhere, to have an `email` address (in `one_spelling`) that has no account here. A receiver that
expects them answers with the account that it made for them."""
