"""Signals by which labelling notifies its own rooms above, and the apps above."""

from django.dispatch import Signal

saves_settled = Signal()
"""Another save or another mask of a `case` may count now; sent in the transaction of the change."""

saves_arrived = Signal()
"""Saves or deletions of a `case_code` came in that are not confirmed yet; sent inside the transaction."""

annotation_stored = Signal()
"""A webhook brought an `annotation`, which was stored just now and was not cancelled."""

predictions_outdated = Signal()
"""Predictions on tasks of a `case_code` have to be drawn anew."""

states_outdated = Signal()
"""Label Studio may show other states than the tasks of a `case_code` have."""

addresses_renewed = Signal()
"""The pictures of a `case` have other addresses, which its tasks in Label Studio do not show yet."""

project_changed = Signal()
"""Label Studio says that somebody changed a `project` (our key of it)."""

training_asked = Signal()
"""Somebody pressed Label Studio's button *Start Training*."""

time_passed = Signal()
"""The reconciler looked around: sent every ten seconds or so, outside of any transaction."""
