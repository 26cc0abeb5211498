"""Progress: how long work says how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, to do) after each piece of work, such as a case; what it raises stops the work."""

ProgressOf = Callable[[str], Callable[..., None]]
"""Makes a progress display with a title; the display is called with done, to do and, in trainings, the loss."""
