"""Signals by which accounts notify the apps above, and ask them."""

from django.dispatch import Signal

account_closed = Signal()
"""A `person` has no account any more since just now; sent after it is so."""

second_factor_asked = Signal()
"""Whether a `person` needs a second factor; a receiver answers True where they do."""

newcomer_asked = Signal()
"""Somebody proved, elsewhere, to have an `email` address (in `one_spelling`) that has no account here. A receiver that
expects them answers with the account that it made for them."""
