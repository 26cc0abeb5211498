"""Signals by which studies notify the apps above, and ask them."""

from django.dispatch import Signal

study_created = Signal()
"""A `study` was made just now; sent inside the transaction that makes it."""

role_changed = Signal()
"""A `person` has another role in a `study` since just now, or none; sent after it is so."""

protocol_asked = Signal()
"""Whether a `study` may have another `protocol`, and what becomes of `finished` cases (None: nobody said): a receiver
whose records it would orphan raises `RejectedInput`; one may answer with findings about what people have to do then."""

protocol_changed = Signal()
"""A `study` has another protocol than the `former` one since just now, by `person` or a command, who said what becomes
of `finished` cases; sent inside the transaction that says so."""

role_taken = Signal()
"""A `person` has no part in a `study` any more, by a page; what they may have kept of it should open nothing."""

account_closed = Signal()
"""A `person`'s account was closed, by a page."""
