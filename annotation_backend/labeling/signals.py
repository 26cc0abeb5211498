"""What labelling tells its own rooms above, and the apps above."""

from django.dispatch import Signal

saves_settled = Signal()
"""What counts of a `case` may be another save or another mask now; sent in the transaction of the change."""

saves_arrived = Signal()
"""There are saves of a `case_code`, or questions about saves, that are not settled; sent inside the transaction."""

drawing_saved = Signal()
"""A webhook brought a drawing: `annotation`, which was stored just now."""

predictions_outdated = Signal()
"""What models drew for tasks of a `case_code` should look otherwise now."""

states_outdated = Signal()
"""Label Studio may show other states than the tasks of a `case_code` have."""

addresses_renewed = Signal()
"""The pictures of a `case` have other addresses, which its tasks in Label Studio do not show yet."""

project_changed = Signal()
"""Label Studio says that somebody changed a `project` (our key of it)."""

training_asked = Signal()
"""Somebody pressed Label Studio's button *Start Training*."""
