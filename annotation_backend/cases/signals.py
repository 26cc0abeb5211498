"""What cases tell the apps above, and what they ask them."""

from django.dispatch import Signal

shown_changed = Signal()
"""A case has another registration, or other pictures; sent in the transaction of the change, with its `case`."""

drawn_on_asked = Signal()
"""Whether anybody ever drew on a `case`: a receiver that knows of a drawing answers True."""

case_excluded = Signal()
"""A `case` was excluded just now; sent inside the transaction that says so."""

case_taken_back = Signal()
"""A `case` is in use again; sent inside the transaction that says so."""
