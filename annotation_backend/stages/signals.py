"""Signals by which stages notify the apps above."""

from django.dispatch import Signal

stage_opened = Signal()
"""A `row` (`CaseStage`) was opened just now, `is_sent_back` or not; sent inside the transaction."""

stage_closed = Signal()
"""A `row` (`CaseStage`) was closed just now, by `person` or None; sent inside the transaction."""

sent_back = Signal()
"""A review sent a case back to a `row`, which is open (again) now, because of `why`; sent inside the transaction."""

annotators_asked = Signal()
"""Who drew in a `case`: a receiver answers with the keys of the people; the apps above know of their saves."""

work_asked = Signal()
"""Whether a `person` may take (more) work of a `row`: a receiver that says no raises `RejectedInput`."""

assigned = Signal()
"""An `assignment` was made just now; sent inside the transaction."""

assignment_ended = Signal()
"""An `assignment` ended just now, whatever its state is; sent inside the transaction."""

work_given = Signal()
"""A piece of a drawing stage's `row` is given to a `person` who did not ask for it, `how`, `why` and `by` whom; sent
inside the transaction, before the piece is theirs or after, by lot.

Whoever receives it may give them more beside it.
"""

next_wanted = Signal()
"""A `person` takes the next piece of work of a `study`'s `stage` (its rules).

Whoever receives it may give them another piece instead, and returns its assignment; else None.
"""
