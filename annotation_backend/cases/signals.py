"""Signals by which cases notify the apps above, and ask them."""

from django.dispatch import Signal

shown_changed = Signal()
"""A case has another registration, or other pictures; sent in the transaction of the change, with its `case`."""

annotated_asked = Signal()
"""Whether a `case` ever had an annotation: a receiver that knows of one answers True."""

published_asked = Signal()
"""Whether a `case` ever had tasks for annotators: a receiver that knows of one answers True."""

case_opened = Signal()
"""A `person` opened a `page` (one word) of a `case`."""

case_excluded = Signal()
"""A `case` was excluded just now; sent inside the transaction that says so."""

patient_withdrawn = Signal()
"""A patient was withdrawn just now (`withdrawal`), and all cases excluded; sent inside the transaction of both."""

case_taken_back = Signal()
"""A `case` is in use again; sent inside the transaction that says so."""
